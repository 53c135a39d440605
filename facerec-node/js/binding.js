'use strict'
// Finds the library of this platform: the one built here, or that of the optional dependency npm has installed.

const { existsSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { isMainThread } = require('node:worker_threads')

const PLATFORMS = ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'win32-x64-msvc']

function platform() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  if (process.platform !== 'linux') return base
  return `${base}-${process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

function load() {
  const name = platform()
  const own = join(__dirname, '..', `facerec.${name}.node`)
  if (existsSync(own)) return { binding: require(own), folder: dirname(own) }
  if (!PLATFORMS.includes(name)) {
    throw new Error(`@facerec/node has no binary for \`${name}\`; it has ${PLATFORMS.join(', ')}`)
  }
  const dependency = `@facerec/node-${name}`
  try {
    return { binding: require(dependency), folder: dirname(require.resolve(`${dependency}/package.json`)) }
  } catch (cause) {
    const advice = 'install again without `--omit=optional`, with a lock file that was not made on another platform only'
    throw new Error(`@facerec/node cannot load \`${dependency}\`: ${cause.message}; ${advice}`, { cause })
  }
}

const { binding, folder } = load()

// `process.exit` takes the libraries down while work may be running. A worker's end does not.
if (isMainThread) process.on('exit', binding.haltWork)

module.exports = binding
/** Where the library lies, with what belongs to it. */
module.exports.folder = folder
