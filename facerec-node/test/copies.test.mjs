// The package's JavaScript evaluated more than once in a process: after `require.cache` was emptied, in other contexts, by test
// runners, in workers that come and go.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { clip, folder, obama, obama2, root, sharedEngine, six } from './setup.mjs'

const here = join(root, 'facerec-node')
const tools = join(process.env.FACEREC_HOME ?? join(root, '.facerec'), 'node', 'node_modules')
const environment = { ...process.env, FACEREC_TEST_PHOTO: obama, FACEREC_TEST_CLIP: clip(), NODE_OPTIONS: '' }

/** Runs a program; what it says when it fails is in the error. */
async function run(program, args, options = {}) {
  const limits = { timeout: 120_000, maxBuffer: 1 << 24, env: environment }
  try {
    return await promisify(execFile)(program, args, { ...limits, ...options })
  } catch (error) {
    throw new Error(`${args.join(' ')} (${error.code ?? error.signal}):\n${error.stdout}\n${error.stderr}`)
  }
}

/** Runs lines of CommonJS in a process of their own. `fresh(all)` evaluates the package anew, with its binary or without. */
const script = (code, ...args) =>
  run(process.execPath, ['--trace-warnings', '-e', `
    const assert = require('node:assert/strict')
    const { mkdtempSync } = require('node:fs')
    const [photo, other, clip] = process.argv.slice(1)
    const place = () => mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'facerec-'))
    function fresh(all) {
      for (const key of Object.keys(require.cache)) if (key.startsWith('${here}') && (all || !key.endsWith('.node'))) delete require.cache[key]
      return require('${here}/index.js')
    }
    (async () => { ${code} })().then(() => console.log('done'), (error) => { console.error(error); process.exit(1) })`,
  obama, obama2, clip(), ...args])

test('it works after it was evaluated again, with its binary or without', async () => {
  const { stdout, stderr } = await script(`
    let names = 0
    for (let round = 0; round < 12; round++) {
      const { Engine } = fresh(round % 2 === 0)
      const engine = await Engine.create({ threads: 1 })
      const gallery = await engine.openGallery(place())
      await engine.enroll(gallery, 'Obama', photo)
      for await (const seen of engine.video(clip, gallery, { endMs: 1000 })) names += seen.person === 'Obama'
      await gallery.close()
    }
    assert.ok(names >= 12, names + ' names')
    assert.equal(process.listeners('exit').length, 1)`)
  assert.deepEqual([stdout, stderr], ['done\n', ''])
})

test('what one copy made may be given to another', async () => {
  const { stdout, stderr } = await script(`
    const a = fresh(true), b = fresh(true), c = fresh(false)
    assert.notEqual(a.Engine, b.Engine)
    const engine = await a.Engine.create({ threads: 1 })
    const others = await b.Engine.create({ threads: 1 })
    const gallery = await others.openGallery(place())
    for (const copy of [a, b, c]) {
      assert.ok(engine instanceof copy.Engine && others instanceof copy.Engine && gallery instanceof copy.Gallery)
      assert.ok(!(engine instanceof copy.Gallery) && !({} instanceof copy.Engine) && new a.Tracker() instanceof copy.Tracker)
    }
    await engine.enroll(gallery, 'Obama', photo)
    assert.equal((await a.Engine.prototype.identify.call(others, gallery, other))[0].person, 'Obama')
    const controller = new AbortController()
    const video = engine.video(clip, gallery, { signal: controller.signal })
    assert.ok(video instanceof b.Sightings)
    assert.equal((await video.next()).done, false)
    controller.abort()
    await assert.rejects(video.next(), { name: 'AbortError' })
    await b.Gallery.prototype.close.call(gallery)
    class Own extends a.Tracker {}
    assert.ok(new Own() instanceof b.Tracker && !(new b.Tracker() instanceof Own))
    assert.equal(process.listeners('exit').length, 1)`)
  assert.deepEqual([stdout, stderr], ['done\n', ''])
})

test('a process may exit while copies are at work', async () => {
  const code = `
    for (let copy = 0; copy < 3; copy++) {
      const { Engine } = fresh(copy === 1)
      const engine = await Engine.create({ threads: 1 })
      engine.video(clip).next()
      for (let n = 0; n < 5; n++) engine.embed(photo)
    }
    setTimeout(() => process.exit(0), 50)
    await new Promise(() => {})`
  const { stdout, stderr } = await script(code)
  assert.deepEqual([stdout, stderr], ['', ''])
})

test('workers come and go beside the main thread', async () => {
  const { stdout, stderr } = await script(`
    const { Worker } = require('node:worker_threads')
    const { Engine } = fresh(false)
    const main = await Engine.create({ threads: 1 })
    const code = \`
      const { parentPort, workerData } = require('node:worker_threads')
      const one = require('${here}/index.js')
      for (const key of Object.keys(require.cache)) delete require.cache[key]
      const two = require('${here}/index.js')
      Promise.all([one, two].map(({ Engine }) => Engine.create({ threads: 1 }))).then(async ([a, b]) => {
        const video = a.video(workerData.clip)
        parentPort.postMessage((await b.embed(workerData.photo)).length)
        for await (const seen of video);
        parentPort.postMessage('over')
      })\`
    for (let round = 0; round < 4; round++) {
      const workers = Array.from({ length: 3 }, () => new Worker(code, { eval: true, workerData: { photo, clip } }))
      const faces = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))))
      assert.deepEqual(faces, [1, 1, 1])
      // One ends by itself, the others in the middle of a video.
      const end = new Promise((resolve) => workers[0].once('exit', resolve))
      await Promise.all(workers.slice(1).map((worker) => worker.terminate()))
      assert.equal((await main.embed(photo)).length, 1)
      assert.equal(await end, 0)
    }
    let seen = 0
    for await (const one of main.video(clip, undefined, { endMs: 1000 })) seen++
    assert.ok(seen > 0)`)
  assert.deepEqual([stdout, stderr], ['done\n', ''])
})

/** For programs in a folder of their own, above which nothing says where ONNX Runtime lies; in plain letters, also where CI is set. */
const elsewhere = async () => ({ ...environment, NO_COLOR: '1', FACEREC_ORT: (await sharedEngine()).libraryPath })

/** A user's project that has this package. */
function project(files) {
  const place = folder('facerec-project-')
  mkdirSync(join(place, 'node_modules', '@facerec'), { recursive: true })
  symlinkSync(here, join(place, 'node_modules', '@facerec', 'node'), 'dir')
  for (const [name, content] of Object.entries(files)) writeFileSync(join(place, name), content)
  return place
}

test('in jest, file after file in one process', async (context) => {
  const jest = join(tools, 'jest', 'bin', 'jest.js')
  if (!existsSync(jest)) return context.skip('no jest: scripts/build-node.sh installs it')
  const file = `require('${here}/test/runners/suite.cjs')(require('@facerec/node'), test, expect, { Error })`
  const place = project({ 'a.test.js': file, 'b.test.js': file, 'c.test.js': file, 'package.json': '{}' })
  const { stderr } = await run(process.execPath, [jest, '--runInBand', '--rootDir', place], { cwd: place, env: await elsewhere() })
  assert.match(stderr, /Tests: +9 passed, 9 total/)
})

test('in vitest, in threads, contexts, and one context for all files', async (context) => {
  const vitest = join(tools, 'vitest', 'vitest.mjs')
  if (!existsSync(vitest)) return context.skip('no vitest: scripts/build-node.sh installs it')
  const file = `import { test, expect } from '${tools}/vitest/dist/index.js'
    import suite from '${here}/test/runners/suite.cjs'
    import * as facerec from '@facerec/node'
    suite(facerec, test, expect, { Error })`
  for (const pool of [['threads'], ['vmThreads'], ['threads', '--no-isolate', '--poolOptions.threads.singleThread']]) {
    const place = project({ 'a.test.mjs': file, 'b.test.mjs': file, 'package.json': '{}' })
    const args = [vitest, 'run', '--root', place, '--pool', ...pool]
    const { stdout } = await run(process.execPath, args, { cwd: place, env: await elsewhere() })
    assert.match(stdout, /Tests +6 passed \(6\)/, pool.join(' '))
  }
})

test('a bundle finds the binary, the library and the models', async (context) => {
  if (!existsSync(join(tools, 'esbuild'))) return context.skip('no esbuild: scripts/build-node.sh installs it')
  const { build } = createRequire(join(tools, 'x.js'))('esbuild')
  const code = `import { Engine } from '@facerec/node'
    const engine = await Engine.create()
    console.log((await engine.embed(process.argv[2])).length, engine.libraryPath, engine.embedder)`
  const away = folder('facerec-bundle-')
  const source = project({ 'main.mjs': code, 'wrapped.mjs': `(async () => { ${code.replace(/import .*/, '')} })()\nimport { Engine } from '@facerec/node'` })
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
  const common = { bundle: true, platform: 'node', logLevel: 'silent' }
  await build({ ...common, entryPoints: [join(source, 'main.mjs')], format: 'esm', banner, outfile: join(away, 'main.mjs') })
  await build({ ...common, entryPoints: [join(source, 'wrapped.mjs')], format: 'cjs', outfile: join(away, 'main.cjs') })

  const lost = await run(process.execPath, [join(away, 'main.cjs'), six]).catch((error) => error)
  assert.match(String(lost), /a folder `facerec` beside it, or say where it is with FACEREC_NODE_BINARY/)
  const nowhere = { env: { ...environment, FACEREC_NODE_BINARY: join(away, 'nothing') } }
  assert.match(String(await run(process.execPath, [join(away, 'main.mjs'), six], nowhere).catch((error) => error)), /FACEREC_NODE_BINARY says/)

  const binary = (await import('node:fs')).readdirSync(here).find((name) => name.endsWith('.node'))
  for (const bundle of ['main.mjs', 'main.cjs']) {
    for (const given of [here, join(here, binary)]) {
      const { stdout } = await run(process.execPath, [join(away, bundle), six], { env: { ...environment, FACEREC_NODE_BINARY: given } })
      assert.match(stdout, /^6 .*onnxruntime.* mobilefacenet-expo\n$/, `${bundle} with ${given}`)
    }
  }
  mkdirSync(join(away, 'facerec'))
  symlinkSync(join(here, binary), join(away, 'facerec', binary))
  for (const bundle of ['main.mjs', 'main.cjs']) {
    assert.match((await run(process.execPath, [join(away, bundle), six])).stdout, /^6 /, bundle)
  }
})
