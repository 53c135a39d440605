// Pictures in every form JavaScript has them, and everything that is none.

import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Engine, Tracker, evaluate, models } from '../index.mjs'
import { failure, folder, obama, root, sharedEngine, six } from './setup.mjs'

const scene = join(root, 'fixtures', 'images', 'scene.png')

test('path, Buffer, Uint8Array and a view into a larger buffer are one picture', async () => {
  const engine = await sharedEngine()
  const expected = await engine.embed(obama)
  const bytes = readFileSync(obama)
  const larger = new Uint8Array(bytes.length + 20)
  larger.set(bytes, 10)
  for (const input of [bytes, new Uint8Array(bytes), larger.subarray(10, 10 + bytes.length)]) {
    assert.deepEqual(await engine.embed(input), expected)
  }
})

test('decoded pixels with 3 and 4 channels are one picture, clamped or not; grey works', async () => {
  const engine = await sharedEngine()
  const [width, height] = [120, 90]
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, n) => (n * 31) % 256)
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255)
  for (let n = 0; n < width * height; n++) rgba.set(rgb.subarray(3 * n, 3 * n + 3), 4 * n)
  const expected = await engine.detect({ data: rgb, width, height, channels: 3 })
  assert.deepEqual(await engine.detect({ data: rgba, width, height }), expected)
  assert.deepEqual(await engine.detect({ data: Buffer.from(rgba.buffer), width, height, channels: 4 }), expected)
  assert.ok(Array.isArray(await engine.detect({ data: new Uint8Array(width * height), width, height })))
})

test('unicode paths and names', async () => {
  const engine = await sharedEngine()
  const path = join(folder('лица 人脸 '), 'фото ' + '\u{1f600}'.repeat(3))
  mkdirSync(path)
  const photo = join(path, 'Обама 奥巴马.jpg')
  copyFileSync(obama, photo)
  assert.equal((await engine.detect(photo)).length, 1)
  const gallery = await engine.openGallery(join(path, 'Галерея'))
  await engine.enroll(gallery, 'Барак 奥巴马 \u{1f600}', photo)
  assert.equal((await engine.identify(gallery, photo))[0].person, 'Барак 奥巴马 \u{1f600}')
  await gallery.close()
})

test('names are text', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(join(folder('names '), 'gallery'))
  const [nfd, nfc] = ['Andre\u0301', 'Andr\u00e9']
  await engine.enroll(gallery, nfd, obama)
  assert.deepEqual((await gallery.people()).map((one) => one.name), [nfc])
  assert.equal((await engine.identify(gallery, obama, { only: [nfd] }))[0].person, nfc)
  // A lone surrogate reaches us as U+FFFD, as any other does: two names would be one.
  for (const bad of ['Jos\ud800', 'Jos\udfff', '\u200b', 'a\u001b[31m', '']) {
    const error = await failure(gallery.rename(nfd, bad))
    assert.equal(error.code, 'ERR_FACEREC_INVALID_ARGUMENT')
    assert.doesNotMatch(error.message, /[\u0000-\u001f\u007f-\u009f]/)
  }
  assert.match((await failure(gallery.person('\u202ex\u009b'))).message, /`\\u\{202e\}x\\u\{9b\}`/)
  assert.equal(await gallery.remove(nfc), 1)
  await gallery.close()
})

test('a Buffer changed while it is in use does no harm', async () => {
  const engine = await sharedEngine()
  const expected = await engine.embed(six)
  const bytes = readFileSync(six)
  const pending = Array.from({ length: 6 }, () => engine.embed(bytes))
  bytes.fill(0)
  for (const faces of await Promise.all(pending)) assert.deepEqual(faces, expected)
  assert.equal((await failure(engine.embed(bytes))).code, 'ERR_FACEREC_DECODE_IMAGE')
  const pixels = new Uint8Array(640 * 480 * 3).fill(127)
  const grey = engine.detect({ data: pixels, width: 640, height: 480 })
  pixels.set(new Uint8Array(640 * 480 * 3).map((_, n) => n % 251))
  assert.deepEqual(await grey, [])
  // Taken away altogether: its memory now belongs to somebody else.
  const given = new Uint8Array(readFileSync(six))
  const promise = engine.embed(given)
  structuredClone(given.buffer, { transfer: [given.buffer] })
  assert.deepEqual(await promise, expected)
  assert.equal((await failure(engine.embed(given))).code, 'ERR_FACEREC_DECODE_IMAGE')
})

const nonsense = [undefined, null, 5, NaN, true, Symbol('x'), () => {}, {}, [], new Date(), new ArrayBuffer(8), 10n, new Float32Array(4)]

test('garbage instead of a picture rejects with a code', async () => {
  const engine = await sharedEngine()
  for (const image of nonsense) {
    for (const call of [() => engine.detect(image), () => engine.compare(obama, image)]) {
      const error = await failure(call)
      assert.equal(error.code, 'ERR_FACEREC_INVALID_ARGUMENT', String(image))
      assert.match(error.message, /expected a path, a Buffer or Uint8Array/)
    }
  }
  const data = new Uint8Array(12)
  const codes = {
    ERR_FACEREC_DIMENSION_MISMATCH: [{ data, width: 3, height: 2, channels: 3 }, { data, width: 5, height: 2 }],
    ERR_FACEREC_INVALID_ARGUMENT: [
      { data, width: 0, height: 2 }, { data, width: -2, height: 2 }, { data, width: 2.5, height: 2 }, { data, width: 2 ** 40, height: 2 },
      { data, width: 2, height: NaN }, { data, width: '2', height: 2 }, { data, width: 2 }, { data, width: 2, height: 2, channels: 2 },
      { data, width: 2, height: 2, channels: 'RGB' }, { data: [1, 2, 3], width: 1, height: 1 }, { data: 'xyz', width: 1, height: 1 },
      { data: new Uint16Array(12), width: 2, height: 2 }, { data: new Float32Array(3), width: 1, height: 1 },
      { data: new Int8Array(12), width: 2, height: 2 }, { data: new BigUint64Array(12), width: 2, height: 2 },
    ],
    ERR_FACEREC_IO: ['', '/no/such.jpg', root, 'nul\0byte'],
    ERR_FACEREC_DECODE_IMAGE: [Buffer.alloc(0), Buffer.from('no picture'), readFileSync(obama).subarray(0, 5000)],
    ERR_FACEREC_UNSUPPORTED_FORMAT: [Buffer.from('%PDF-1.7')],
  }
  for (const [code, inputs] of Object.entries(codes)) {
    for (const input of inputs) assert.equal((await failure(engine.detect(input))).code, code, inspect(input))
  }
})

test('garbage everywhere else is refused, never a crash', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  const refused = []
  for (const bad of nonsense.filter((value) => value !== undefined && typeof value !== 'function')) {
    // Objects without known keys are options without options.
    const options = typeof bad === 'object' && bad !== null ? [] : [
      () => engine.detect(scene, bad), () => engine.video('x', gallery, bad), () => Engine.create(bad), () => models.list(bad), () => models.packs(bad), () => gallery.people(bad),
    ]
    refused.push(
      ...options,
      () => engine.enroll(bad, 'x', scene), () => engine.enroll(gallery, bad, scene), () => engine.identify(bad, scene),
      () => engine.openGallery(bad), () => engine.video(bad, gallery), () => gallery.rename('a', bad), () => gallery.exportTo(bad),
      () => evaluate.pairs(bad, 'a', 'b'), () => evaluate.tracks('a', bad), () => models.path(bad), () => new Tracker().update(0, bad === null ? 5 : bad.length === 0 ? 5 : bad),
      () => engine.similarity(bad instanceof Float32Array ? 1 : bad, new Float32Array(192)), () => engine.detect(scene, { signal: bad }),
    )
  }
  refused.push(
    () => Engine.create({ threads: 0 }), () => Engine.create({ threads: 1e12 }), () => Engine.create({ threads: '2' }), () => Engine.create({ device: 'gpu' }),
    () => Engine.create({ models: [5] }), () => Engine.create({ threshold: 2 }), () => Engine.create({ pack: 'none' }), () => engine.enroll(gallery, '', obama),
    () => engine.enroll(gallery, 'x', obama, { gate: 'lenient' }), () => engine.identify(gallery, obama, { threshold: NaN }), () => engine.identify(gallery, obama, { minMargin: -1 }),
    () => engine.identify(gallery, obama, { candidates: -1 }), () => gallery.removeFace(NaN), () => gallery.removeFace(2 ** 60), () => new Tracker({ keepLostMs: -1 }),
    () => engine.video('x', gallery, { startMs: Infinity }), () => engine.video('x', gallery, { bestShots: 0 }), () => engine.video('x', gallery, { deinterlace: 'sideways' }),
    () => engine.similarity(new Float32Array(192), new Float32Array(192)), () => engine.similarity(new Float32Array(3), new Float32Array(192)), () => new Tracker().update(NaN, []),
  )
  const allowed = new Set(['ERR_FACEREC_INVALID_ARGUMENT', 'ERR_FACEREC_DIMENSION_MISMATCH'])
  for (const call of refused) {
    const error = await failure(call).catch((missing) => assert.fail(`${missing.message}: ${call}`))
    assert.ok(error instanceof Error && allowed.has(error.code), `${call}: ${error.code} ${error.message}`)
  }
  await gallery.close()
})
