// The binding as part of a process: event loop, worker threads, exit, panics, the command.

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { clip, failure, facerec, obama, root, sharedEngine, six } from './setup.mjs'

const here = join(root, 'facerec-node')
const run = (code, ...args) =>
  promisify(execFile)(process.execPath, ['--input-type=module', '-e', `import { Engine } from '${here}/index.mjs'; ${code}`, ...args], { timeout: 60_000 })

test('the event loop runs while eight analyses do', async () => {
  const engine = await sharedEngine()
  await engine.embed(six)
  const delays = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    delays.push(now - last - 10)
    last = now
  }, 10)
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 8 }, () => engine.embed(six)))
  clearInterval(timer)
  const p99 = delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.99)]
  console.log(`# timer of 10 ms, ${delays.length} ticks: p99 ${p99.toFixed(1)} ms late, worst ${delays.at(-1).toFixed(1)} ms`)
  // On an idle machine 20 ms is the aim; a test must not fail because others use the cores.
  assert.ok(delays.length > 20 && p99 < 100, `p99 ${p99} ms late`)
})

test('worker threads have engines of their own, and may be ended in the middle', async () => {
  await sharedEngine()
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Engine } = require('${here}/index.js')
    Engine.create({ threads: 1 }).then(async (engine) => {
      parentPort.postMessage((await engine.embed(workerData.photo)).length)
      for (;;) {
        void engine.embed(workerData.photo)
        for await (const one of engine.video(workerData.clip)) parentPort.postMessage('seen')
      }
    })`
  const workers = Array.from({ length: 3 }, () => new Worker(code, { eval: true, workerData: { photo: six, clip: clip() } }))
  const counts = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))))
  assert.deepEqual(counts, [6, 6, 6])
  await new Promise((resolve) => setTimeout(resolve, 300))
  await Promise.all(workers.map((worker) => worker.terminate()))
  assert.equal((await (await sharedEngine()).embed(six)).length, 6, 'the main thread goes on')
})

test('a process may exit in the middle of its work', async () => {
  for (const code of [
    `const e = await Engine.create(); for (let n = 0; n < 20; n++) e.embed(process.argv[1]); setTimeout(() => process.exit(7), 50)`,
    `const e = await Engine.create(); e.video(process.argv[2]).next(); setTimeout(() => process.exit(7), 100)`,
  ]) {
    const error = await failure(run(code, six, clip()))
    assert.deepEqual([error.code, error.signal, error.stderr], [7, null, ''])
  }
  const { stdout } = await run(`const e = await Engine.create(); e.video(process.argv[1]); console.log('end')`, clip())
  assert.equal(stdout, 'end\n', 'a video nobody reads does not keep the process')
})

test('a panic rejects and the process goes on', async (context) => {
  const path = join(here, 'test', 'panic.node')
  if (!existsSync(path)) return context.skip('no test build: scripts/build-node.sh --test-panic')
  const code = `
    const { createRequire } = await import('node:module')
    const binding = createRequire('${here}/')('${path}')
    const work = await binding.panicInWork().catch((error) => error)
    let call
    try { binding.panicInCall() } catch (error) { call = error }
    const { translated } = createRequire('${here}/')('./js/errors.js')
    console.log(JSON.stringify([work.code, work.message, translated(call).code]))`
  const { stdout } = await run(code)
  assert.deepEqual(JSON.parse(stdout), ['ERR_FACEREC_INTERNAL', 'internal error, please report it: a panic: provoked in work', 'ERR_FACEREC_INTERNAL'])
  const released = createRequire(import.meta.url)('../js/binding.js').binding
  assert.equal(released.panicInWork, undefined, 'a released build has no such function')
})

test('npx @facerec/node is the same command as the Rust one', () => {
  const command = (program, args) => {
    const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' })
    return { status, stdout }
  }
  for (const args of [['--json', 'embed', obama], ['--json', 'detect', '/no/such.jpg', six], ['--version'], ['nonsense'], ['--json', 'models', 'list'], ['--json', 'gallery', 'list', '--gallery', '/no/such']]) {
    const rust = command(facerec, args)
    assert.deepEqual(command(process.execPath, [join(here, 'bin', 'facerec.js'), ...args]), rust, args.join(' '))
    assert.notEqual(rust.status, null)
  }
})
