'use strict'
// Finds the library of this platform, and loads it once in each thread.
//
// It is looked for where FACEREC_NODE_BINARY says, then in the folder of this package (where a checkout builds it), in a folder
// `facerec` beside this file (where a bundle has it), and last in the optional dependency that npm has installed.

const { existsSync, realpathSync, statSync } = require('node:fs')
const { dirname, join, resolve } = require('node:path')
const threads = require('node:worker_threads')

const PLATFORMS = ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'win32-x64-msvc']

function platform() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  if (process.platform !== 'linux') return base
  return `${base}-${process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

/** Folders that come with this file; an ECMAScript bundle does not say where it is. */
const beside = typeof __dirname === 'string' ? __dirname : process.argv[1] ? dirname(process.argv[1]) : '.'

/** The path of the binary, or the name of the package that has it. */
function find() {
  const file = `facerec.${platform()}.node`
  const given = process.env.FACEREC_NODE_BINARY
  if (given) {
    const path = existsSync(given) && statSync(given).isDirectory() ? join(given, file) : given
    if (existsSync(path)) return { path: resolve(path) }
    throw new Error(`@facerec/node finds no binary where FACEREC_NODE_BINARY says: expected a file, or a folder with \`${file}\`, got \`${given}\``)
  }
  const path = [join(beside, '..', file), join(beside, 'facerec', file)].find(existsSync)
  return path ? { path } : { dependency: `@facerec/node-${platform()}` }
}

function load() {
  const { path, dependency } = find()
  if (path) return loadOnce(path)
  if (!PLATFORMS.includes(platform())) {
    throw new Error(`@facerec/node has no binary for \`${platform()}\`; it has ${PLATFORMS.join(', ')}`)
  }
  try {
    return loadOnce(require.resolve(dependency))
  } catch (cause) {
    const advice =
      'install again without `--omit=optional`, with a lock file that was not made on another platform only; for a bundle, copy that ' +
      'package to a folder `facerec` beside it, or say where it is with FACEREC_NODE_BINARY'
    throw new Error(`@facerec/node cannot load \`${dependency}\`: ${cause.message}; ${advice}`, { cause })
  }
}

/**
 * The library of `path`. Loading it a second time in a thread would make its classes anew, and what was made of the old ones
 * would be refused. This file may well be evaluated again: by a test runner for each test file, in a context of its own, or
 * after it was deleted from `require.cache`, together with the library. Node's own modules are one and the same for all of them.
 */
function loadOnce(path) {
  const key = Symbol.for(`@facerec/node ${realpathSync(path)}`)
  if (threads[key] === undefined) {
    Object.defineProperty(threads, key, { value: { binding: require(path), folder: dirname(path) } })
  }
  return threads[key]
}

const { binding, folder } = load()

// `process.exit` takes the libraries down while work may be running. A worker's end does not.
if (threads.isMainThread && !process.listeners('exit').includes(binding.haltWork)) process.on('exit', binding.haltWork)

/**
 * The library, never changed here, since other copies of this file have it too; the folder where it lies, with what belongs to it; and
 * where this file lies.
 */
module.exports = { beside, binding, folder }
