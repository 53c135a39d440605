// How a gallery is opened: by which index it is searched, how far its reading is, who makes its changes.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { failure, folder, obama, root, sharedEngine } from './setup.mjs'

const CROWD = 9000
const place = folder()
const crowd = join(place, 'crowd.jsonl')

/** The vector of a face of the crowd: one of unit length in 8 dimensions. */
function vector(number) {
  const values = Array.from({ length: 8 }, (_, n) => Math.sin((number + 1) * (n + 1) * 12.9898) * 43758.5453 % 1)
  const length = Math.hypot(...values)
  return values.map((value) => value / length)
}

before(async () => {
  const engine = await sharedEngine()
  const empty = await engine.openGallery(join(place, 'empty'))
  const { model: id, modelHash: hash } = await empty.stats()
  await empty.close()
  const header = { format: 'facerec-gallery', version: 1, model: { id, hash }, dim: 8, persons: CROWD, faces: CROWD }
  const lines = Array.from({ length: CROWD }, (_, number) => ({ person: `P${number}`, embedding: vector(number) }))
  writeFileSync(crowd, [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''))
})

/** A gallery of the crowd, closed. */
async function filled() {
  const path = folder()
  const gallery = await (await sharedEngine()).openGallery(path)
  await gallery.importFrom(crowd)
  await gallery.close()
  return path
}

/** The same without its saved index: opening it reads every row. */
function unsaved(path) {
  rmSync(join(path, 'index.snapshot'), { force: true })
  return path
}

test('the kind of index is chosen when a gallery is opened', async () => {
  const engine = await sharedEngine()
  for (const index of ['sq8', 'fp16', 'flat']) {
    const path = folder()
    const gallery = await engine.openGallery(path, { index })
    await gallery.importFrom(crowd)
    await gallery.compact()
    const stats = await gallery.stats()
    assert.equal(stats.indexKind, index === 'flat' ? 'faiss-flat-ip' : `faiss-${index}`)
    assert.ok(stats.recall > 0.9 && stats.recall <= 1, `${index}: recall ${stats.recall}`)
    assert.deepEqual([stats.indexBuilding, stats.tombstones, stats.generation], [false, 0, 1])
    assert.ok(stats.indexBytesPerFace >= 8 * 4 && stats.bytes > CROWD * 8 * 4)
    const probe = Float32Array.from(vector(76))
    assert.equal((await gallery.search(probe, 1))[0].person, 'P76')
    await gallery.remove('P76')
    assert.equal((await gallery.stats()).tombstones, index === 'flat' ? 0 : 1)
    assert.notEqual((await gallery.search(probe, 1))[0].person, 'P76')
    await gallery.compact()
    assert.equal((await gallery.stats()).tombstones, 0)
    await gallery.close()
    const reader = await engine.openGallery(path, { readOnly: true })
    assert.equal((await reader.stats()).indexKind, stats.indexKind, 'kept with the gallery')
    await reader.close()
  }
})

test('every kind of index has its code', async () => {
  const engine = await sharedEngine()
  for (const index of ['auto', 'flat', 'sq8', 'fp16', 'ivf', 'hnsw']) {
    const gallery = await engine.openGallery(folder(), { index })
    await engine.enroll(gallery, 'Obama', obama)
    assert.equal((await gallery.stats()).indexKind, 'faiss-flat-ip', 'there is nothing to build for so few')
    await gallery.close()
  }
})

test('a wrong kind of index is refused', async () => {
  const engine = await sharedEngine()
  const path = join(folder(), 'gallery')
  for (const index of ['', 'HNSW', 'faiss-ivf', 'brute', 7]) {
    const error = await failure(engine.openGallery(path, { index }))
    assert.equal(error.code, 'ERR_FACEREC_INVALID_ARGUMENT', String(index))
    if (typeof index === 'string') assert.match(error.message, /auto flat sq8 fp16 ivf hnsw/)
  }
  assert.ok(!existsSync(path))
})

test('opening tells how far it is, before it is done', async () => {
  const engine = await sharedEngine()
  const path = unsaved(await filled())
  const told = []
  const progress = (...now) => told.push(now)
  const gallery = await engine.openGallery(path, { progress })
  await setImmediate() // the last call may come together with the answer
  assert.ok(told.length >= 2)
  assert.ok(told.every(([done, total], n) => total === CROWD && (n === 0 || done >= told[n - 1][0])))
  assert.equal(told.at(-1)[0], CROWD)
  await gallery.close()
  told.length = 0
  await (await engine.openGallery(path, { progress })).close()
  assert.deepEqual(told, [], 'the saved index is read at once')
  for (const wrong of ['often', 5, {}]) {
    assert.equal((await failure(engine.openGallery(path, { progress: wrong }))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
})

test('what progress throws rejects the call, and the gallery is not left open', async () => {
  const engine = await sharedEngine()
  const path = unsaved(await filled())
  let calls = 0
  const tired = new RangeError('tired')
  const error = await failure(engine.openGallery(path, { progress: () => { calls++; throw tired } }))
  assert.equal(error, tired)
  assert.equal(calls, 1, 'it is not asked again')
  const gallery = await engine.openGallery(path) // its lock is free
  assert.equal((await gallery.stats()).faces, CROWD)
  await gallery.close()
})

test('a function that is told does not keep the process alive', async () => {
  const path = unsaved(await filled())
  const code = `import { Engine } from '${root}/facerec-node/index.mjs'
    const engine = await Engine.create()
    const gallery = await engine.openGallery(${JSON.stringify(path)}, { progress: () => console.log('told') })
    await gallery.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000 })
  assert.match(stdout, /told/)
})

test('the actor of changes is named when a gallery is opened', async () => {
  const engine = await sharedEngine()
  const path = folder()
  const first = await engine.openGallery(path, { actor: 'the registrar' })
  await engine.enroll(first, 'Obama', obama)
  await first.close()
  const second = await engine.openGallery(path, { actor: 'the office' })
  await second.rename('Obama', 'Barack')
  const actors = (await second.audit(0, 10)).filter(({ action }) => ['add', 'rename'].includes(action)).map(({ actor }) => actor)
  assert.deepEqual(actors, ['the registrar', 'the office'])
  await second.close()
  for (const actor of ['', 'x'.repeat(201), 'a\nb']) {
    assert.equal((await failure(engine.openGallery(path, { actor }))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
})

test('a writer waits for the other one, and takes no thread from it', async () => {
  const engine = await sharedEngine()
  const path = folder()
  const first = await engine.openGallery(path)
  const start = performance.now()
  assert.equal((await failure(engine.openGallery(path, { wait: 100 }))).code, 'ERR_FACEREC_GALLERY_LOCKED')
  assert.ok(performance.now() - start >= 100)
  // More of them than there are threads: the one they wait for can still be closed, and each has its turn.
  const turns = Array.from({ length: 24 }, async () => (await engine.openGallery(path)).close())
  const controller = new AbortController()
  const aborted = failure(engine.openGallery(path, { signal: controller.signal }))
  await engine.enroll(first, 'Obama', obama)
  controller.abort()
  assert.equal((await aborted).name, 'AbortError')
  await first.close()
  await Promise.all(turns)
  for (const wait of [-1, NaN, Infinity, 'long']) {
    assert.equal((await failure(engine.openGallery(path, { wait }))).code, 'ERR_FACEREC_INVALID_ARGUMENT', String(wait))
  }
})
