// What each verb gives.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import * as esm from '../index.mjs'
import { biden, failure, folder, obama, obama2, sharedEngine, six } from './setup.mjs'

const { Engine, Gallery, Tracker, evaluate, models } = esm

test('ESM and CommonJS give the same things', () => {
  const commonjs = createRequire(import.meta.url)('../index.js')
  assert.deepEqual(Object.keys(esm).filter((name) => name !== 'default').sort(), Object.keys(commonjs).sort())
  for (const name of Object.keys(commonjs)) assert.equal(esm[name], commonjs[name])
})

test('an engine says what it is', async () => {
  const engine = await sharedEngine()
  assert.ok(engine instanceof Engine)
  assert.deepEqual([engine.device, engine.detector, engine.embedder], ['cpu', 'centerface', 'mobilefacenet-expo'])
  assert.ok(engine.identifyThreshold > engine.threshold && engine.threshold > 0)
  assert.match(engine.libraryPath, /onnxruntime/)
})

test('options reach the core', async () => {
  const strict = await Engine.create({ threshold: 0.99, maxFaces: 2, detail: 'full', threads: 1, sessions: 2, spinning: false })
  assert.equal(strict.threshold.toFixed(2), '0.99')
  assert.equal((await strict.detect(six)).length, 2)
  assert.equal((await strict.compare(obama, obama2)).same, false)
  await assert.rejects(Engine.create({ detail: 'everything' }), { code: 'ERR_FACEREC_INVALID_ARGUMENT' })
})

test('detect and embed', async () => {
  const engine = await sharedEngine()
  const faces = await engine.detect(six)
  assert.equal(faces.length, 6)
  for (const { box, score, landmarks, quality } of faces) {
    assert.ok(box.length === 4 && box[0] < box[2] && box[1] < box[3])
    assert.ok(landmarks.length === 5 && landmarks.every((point) => point.length === 2 && point.every(Number.isFinite)))
    assert.ok(score > 0 && score <= 1 && quality.score > 0 && quality.facePx > 50)
  }
  assert.ok(faces.every((face, n) => n === 0 || face.score <= faces[n - 1].score), 'best first')
  const embedded = await engine.embed(six)
  const unembedded = ({ embedding: _, quality: { recognisability: __, ...quality }, ...face }) => ({ ...face, quality })
  assert.deepEqual(embedded.map(unembedded), faces, 'only a vector tells whether a face can be recognised')
  for (const { embedding, quality } of embedded) {
    assert.ok(quality.recognisability > 0.5 && quality.recognisability <= 1)
    assert.ok(embedding instanceof Float32Array && embedding.length === 192)
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5)
  }
})

test('compare', async () => {
  const engine = await sharedEngine()
  const same = await engine.compare(obama, obama2)
  assert.ok(same.same && same.similarity > same.threshold)
  assert.ok(Math.abs(engine.similarity(same.a.embedding, same.b.embedding) - same.similarity) < 1e-6)
  const other = await engine.compare(obama, biden)
  assert.ok(!other.same && other.similarity < other.threshold)
  const blank = { data: new Uint8Array(64 * 64), width: 64, height: 64 }
  assert.deepEqual({ ...(await engine.compare(blank, obama)), b: null }, {
    ...other, similarity: null, a: null, b: null, same: false, recognisable: false,
  })
})

test('a gallery from enrolment to erasure', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  assert.ok(gallery instanceof Gallery)
  const metadata = { year: 2016, tags: ['press', null], nested: { 'ключ': true } }
  const enrolled = await engine.enroll(gallery, 'Barack', obama, { source: 'obama.jpg', metadata, gate: 'strict' })
  assert.deepEqual([enrolled.accepted, enrolled.faceId, enrolled.reason], [true, 1, null])
  assert.ok(enrolled.face.embedding instanceof Float32Array)
  assert.deepEqual((({ accepted, faceId, reason }) => [accepted, faceId, reason])(await engine.enroll(gallery, 'Barack', obama)), [
    false, null, 'duplicate',
  ])
  assert.equal((await engine.enroll(gallery, 'Six', six)).reason, 'several_faces')
  await engine.enroll(gallery, 'Joe', biden)
  await gallery.rename('Barack', 'Obama')
  assert.deepEqual((await gallery.people()).map(({ name, faces }) => [name, faces]), [['Joe', 1], ['Obama', 1]])
  const person = await gallery.person('Obama')
  assert.ok(Math.abs(person.createdMs - Date.now()) < 60_000)
  const [face] = await gallery.faces('Obama')
  assert.deepEqual([face.id, face.personId, face.source, face.metadata], [1, person.id, 'obama.jpg', metadata])

  const [found] = await engine.identify(gallery, obama2)
  assert.deepEqual([found.person, found.personId, found.reason], ['Obama', person.id, 'match'])
  assert.equal(found.threshold, engine.identifyThreshold)
  assert.deepEqual(found.candidates.map((one) => one.person), ['Obama', 'Joe'])
  const [unsure] = await engine.identify(gallery, obama2, { threshold: 1, candidates: 1 })
  assert.deepEqual([unsure.person, unsure.personId, unsure.reason, unsure.candidates.length], [null, null, 'below_threshold', 1])
  assert.ok((await engine.identify(gallery, six)).every((one) => one.person === null))

  const { embedding } = (await engine.embed(obama2))[0]
  const [nearest, ...others] = await gallery.search(embedding, 5)
  assert.deepEqual([nearest.person, nearest.personId, nearest.faceId, others.map((one) => one.person)], ['Obama', person.id, 1, ['Joe']])
  assert.ok(nearest.similarity > 0.6 && others[0].similarity < nearest.similarity)
  assert.equal((await failure(gallery.search(embedding.slice(1), 5))).code, 'ERR_FACEREC_DIMENSION_MISMATCH')
  assert.equal((await failure(gallery.search(embedding, -1))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  const added = await gallery.add('Added', embedding, { source: 'a vector', metadata })
  assert.deepEqual((await gallery.faces('Added')).map(({ id, source, metadata }) => [id, source, metadata]), [[added, 'a vector', metadata]])
  assert.equal(await gallery.remove('Added'), 1)

  const file = join(folder(), 'экспорт.jsonl')
  assert.equal(await gallery.exportTo(file), 2)
  assert.equal(await gallery.remove('Joe'), 1)
  assert.deepEqual(await gallery.importFrom(file), { people: 1, faces: 1, duplicates: 1 })
  assert.equal(await gallery.removeFace(1), true)
  assert.equal(await gallery.removeFace(1), false)
  assert.deepEqual(await gallery.verify(), { ok: true, faces: 1, problems: [] })
  await gallery.compact()
  const stats = await gallery.stats()
  assert.deepEqual([stats.people, stats.faces, stats.dim, stats.model], [1, 1, 192, engine.embedder])
  await gallery.close()
})

test('two names become one person, and one person two', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  for (const [name, photo] of [['Barack', obama], ['Obama', obama2], ['Biden', biden]]) await engine.enroll(gallery, name, photo)
  const [pair, ...more] = await gallery.duplicates(engine.identifyThreshold, 10)
  assert.deepEqual([pair.first, pair.second, pair.supportingFaces, pair.firstFaceId, more], ['Barack', 'Obama', 2, 1, []])
  assert.deepEqual(await gallery.duplicates(0.999, 10), [])
  assert.equal(await gallery.merge('Barack', 'Obama'), 1)
  assert.deepEqual((await gallery.people()).map(({ name, faces }) => [name, faces]), [['Biden', 1], ['Obama', 2]])
  assert.equal((await engine.identify(gallery, obama))[0].person, 'Obama')
  assert.equal(await gallery.split('Obama', [1], 'Barack'), 1)
  assert.equal((await engine.identify(gallery, obama))[0].person, 'Barack')
  assert.equal((await failure(gallery.merge('nobody', 'Obama'))).code, 'ERR_FACEREC_PERSON_NOT_FOUND')
  const wrong = [['merge', 'Obama', 'Obama'], ['split', 'Obama', [], 'x'], ['split', 'Obama', [999], 'x'], ['split', 'Obama', [1.5], 'x']]
  for (const [method, ...args] of wrong) {
    assert.equal((await failure(gallery[method](...args))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
  assert.ok((await gallery.verify()).ok)
  await gallery.close()
})

test('searches can be narrowed', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  await engine.enroll(gallery, 'Obama', obama, { metadata: { site: 'north' } })
  await engine.enroll(gallery, 'Biden', biden, { metadata: { site: 'south' } })
  const { embedding } = (await engine.embed(obama))[0]
  const names = async (options) => (await gallery.search(embedding, 5, options)).map((one) => one.person)
  assert.deepEqual(await names(), ['Obama', 'Biden'])
  assert.deepEqual(await names({ only: ['Biden', 'nobody'] }), ['Biden'])
  assert.deepEqual(await names({ metadata: { site: 'north' } }), ['Obama'])
  assert.equal((await engine.identify(gallery, obama, { only: ['Obama'] }))[0].person, 'Obama')
  assert.equal((await engine.identify(gallery, obama, { metadata: { site: 'south' } }))[0].person, null)
  await gallery.close()
})

test('unknown faces are put together', async () => {
  const engine = await sharedEngine()
  const faces = (await Promise.all([obama, biden, obama2, six].map((photo) => engine.embed(photo)))).flat()
  const embeddings = faces.map((face) => face.embedding)
  const clusters = await engine.cluster(embeddings)
  assert.deepEqual(clusters[0].members, [0, 2])
  assert.ok([0, 2].includes(clusters[0].typical) && clusters[0].cohesion > 0.5)
  assert.deepEqual(clusters.flatMap((cluster) => cluster.members).sort((a, b) => a - b), faces.map((_, n) => n))
  assert.deepEqual(await engine.cluster(embeddings, { minSize: 2 }), clusters.slice(0, 1))
  assert.equal((await engine.cluster(embeddings, { threshold: -1, strictStep: 0 })).length, 1)
  assert.deepEqual(await engine.cluster([]), [])
  assert.equal((await failure(engine.cluster(embeddings, { threshold: 2 }))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  assert.equal((await failure(engine.cluster([embeddings[0], new Float32Array([1])]))).code, 'ERR_FACEREC_DIMENSION_MISMATCH')
})

test('a gallery can be encrypted, its changes are audited and faces expire', async () => {
  const engine = await sharedEngine()
  const [path, key] = [folder(), Uint8Array.from({ length: 32 }, (_, n) => n)]
  const gallery = await engine.openGallery(path, { key, actor: 'tests' })
  await engine.enroll(gallery, 'Maximilian', obama)
  await engine.enroll(gallery, 'Later', biden, { expiresMs: 4e12 })
  assert.deepEqual((await gallery.faces('Later')).map((face) => face.expiresMs), [4e12])
  const { embedding } = (await engine.embed(obama2))[0]
  await gallery.add('Gone', embedding, { expiresMs: 1 })
  await gallery.purgeExpired()
  assert.deepEqual((await gallery.people()).map((one) => one.name), ['Later', 'Maximilian'])
  await gallery.merge('Later', 'Maximilian')
  const entries = await gallery.audit(0, 100)
  assert.deepEqual([entries.at(-1).action, entries.at(-1).actor, entries.at(-1).faceIds], ['merge', 'tests', [2]])
  assert.deepEqual(await gallery.audit(entries.at(-2).id, 5), entries.slice(-1))
  const file = join(folder(), 'one.jsonl')
  assert.equal(await gallery.exportPerson('Maximilian', file), 2)
  assert.ok((await gallery.stats()).encrypted)
  await gallery.close()
  for (const wrong of [{}, { key: new Uint8Array(32) }, { passphrase: 'no' }]) {
    assert.equal((await failure(engine.openGallery(path, wrong))).code, 'ERR_FACEREC_WRONG_KEY')
  }
  for (const bad of [{ key: new Uint8Array(5) }, { key, passphrase: 'both' }]) {
    assert.equal((await failure(engine.openGallery(path, bad))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
  const again = await engine.openGallery(path, { key })
  await again.setKey({ passphrase: 'a long passphrase' })
  await again.setKey()
  await again.close()
  const plain = await engine.openGallery(path, { readOnly: true })
  assert.equal((await plain.person('Maximilian')).faces, 2)
  await plain.close()
})

test('a gallery has one writer and any number of readers', async () => {
  const engine = await sharedEngine()
  const path = folder()
  const gallery = await engine.openGallery(path)
  await engine.enroll(gallery, 'Obama', obama)
  assert.equal((await failure(engine.openGallery(path))).code, 'ERR_FACEREC_GALLERY_LOCKED')
  const reader = await engine.openGallery(path, { readOnly: true })
  assert.equal((await engine.identify(reader, obama2))[0].person, 'Obama')
  assert.equal((await failure(engine.enroll(reader, 'Joe', biden))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  await reader.close()
  await gallery[Symbol.asyncDispose]()
  await (await engine.openGallery(path)).close()
  assert.equal((await failure(engine.openGallery(`${path}/none`, { create: false }))).code, 'ERR_FACEREC_IO')
})

test('a tracker follows boxes', () => {
  const tracker = new Tracker()
  const at = (x) => [{ box: [x, 100, x + 80, 200], score: 0.9 }]
  const tracks = [0, 40, 80, 120].map((ms) => tracker.update(ms, at(100 + ms / 10)).faces)
  assert.deepEqual(tracks.map((faces) => [faces.length, faces[0].track, faces[0].detection]), Array(4).fill([1, 1, 0]))
  assert.equal(tracker.predict(160)[0].detection, null)
  assert.equal(tracker.update(160, []).faces[0].detection, null)
  assert.deepEqual(tracker.update(5000, at(100)).ended, [1])
  assert.deepEqual(tracker.finish(), [2])
  assert.deepEqual(tracker.cut(), [])
  assert.deepEqual(new Tracker({ sureScore: 1 }).update(0, at(0)).faces, [], 'a weaker one must be seen again')
})

test('models say their licence and place', async () => {
  const known = await models.list()
  const embedder = known.find((model) => model.id === 'mobilefacenet-expo')
  assert.deepEqual([embedder.task, embedder.pack, embedder.licence, embedder.commercial, embedder.problem], ['embed', 'default', 'MIT', true, null])
  assert.equal(embedder.licenceSource, 'content')
  const packs = await models.packs()
  const pack = packs.find((pack) => pack.name === 'default')
  assert.deepEqual([pack.installed, pack.commercial, pack.licences, pack.timeRatio], [true, true, ['MIT'], null])
  assert.ok(pack.downloadBytes > pack.bytes && pack.bytes > 0 && pack.lfwAccuracy > 0.99 && pack.models.includes(embedder.id))
  const large = packs.find((pack) => pack.name === 'insightface-buffalo-l')
  assert.deepEqual([large.installed, large.commercial, large.lfwAccuracy], [false, false, null])
  assert.equal(await models.path('mobilefacenet-expo'), embedder.path)
  assert.deepEqual(await models.fetch(), [await models.path('centerface'), await models.path('landmark68'), embedder.path])
  assert.equal((await failure(models.fetch({ ids: ['w600k-r50'] }))).code, 'ERR_FACEREC_LICENCE_NOT_ACCEPTED')
})

test('evaluations', async () => {
  const { root } = await import('./setup.mjs')
  const file = (name) => join(root, 'fixtures', 'tracks', name)
  const report = await evaluate.tracks(file('case0-truth.txt'), file('case0-result.txt'))
  const expected = (await import('node:fs')).readFileSync(file('case0-motmetrics.json'), 'utf8')
  assert.ok(Math.abs(report.mota - JSON.parse(expected).mota) < 1e-6 && report.idf1 > 0)
  const engine = await sharedEngine()
  assert.equal((await failure(evaluate.identification(engine, folder()))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  assert.equal((await failure(evaluate.calibrate(engine, folder(), [2]))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  assert.equal((await failure(evaluate.pairs(engine, '/no/such', '/no/such'))).code, 'ERR_FACEREC_IO')
})

test('a report has figures and a page', async () => {
  const { cpSync, mkdirSync, readFileSync, writeFileSync } = await import('node:fs')
  const engine = await sharedEngine()
  const place = folder()
  for (const [name, photos] of [['obama', [obama, obama2]], ['biden', [biden]]]) {
    mkdirSync(join(place, name))
    photos.forEach((photo, number) => cpSync(photo, join(place, name, `${number}.jpg`)))
  }
  const [out, groups] = [join(place, 'report.html'), join(place, 'groups.csv')]
  writeFileSync(groups, 'person,office\nobama,president\n')
  const report = await evaluate.report([engine, engine], place, { out, groups, names: ['one', '<two>'] })
  assert.deepEqual([report.people, report.photos, report.packs.map((pack) => pack.pack)], [2, 3, ['one', '<two>']])
  const [one, two] = report.packs
  assert.deepEqual(one.verification, two.verification)
  assert.deepEqual([one.verification.genuinePairs, one.verification.impostorPairs, one.verification.operatingPoints[0].threshold], [1, 2, null])
  assert.deepEqual([one.identification.rank1, one.identification.nonMated, one.rejection.byQuality], [1, 2, []])
  assert.deepEqual(report.grouping, { attribute: 'office', groups: ['president'], peopleWithout: 1, peopleElsewhere: 0 })
  assert.equal(one.worst.genuine[0].photos[0].person, 'obama')
  assert.ok(readFileSync(out, 'utf8').includes('&lt;two&gt;'))
  const bare = await evaluate.report(engine, place, { out, pictures: false })
  assert.deepEqual(bare.packs[0].worst, { impostor: [], genuine: [] })
  assert.ok(!/obama|data:image/.test(readFileSync(out, 'utf8')))
  for (const wrong of [evaluate.report([], place), evaluate.report(engine, place, { names: ['a', 'b'] })]) {
    assert.equal((await failure(wrong)).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
  assert.equal((await failure(evaluate.report(engine, place, { signal: AbortSignal.abort() }))).code, 'ERR_FACEREC_CANCELLED')
})

test('clusters are scored against the folders', async () => {
  const { cpSync, mkdirSync } = await import('node:fs')
  const engine = await sharedEngine()
  const place = folder()
  for (const [name, photos] of [['obama', [obama, obama2]], ['biden', [biden]]]) {
    mkdirSync(join(place, name))
    photos.forEach((photo, number) => cpSync(photo, join(place, name, `${number}.jpg`)))
  }
  const [usual, ...more] = await evaluate.clusters(engine, place)
  assert.deepEqual([usual.faces, usual.noFace, usual.people, usual.clusters, usual.mixed, more], [3, 0, 2, 2, 0, []])
  assert.deepEqual([usual.pairs, usual.bcubed], [[1, 1, 1], [1, 1, 1]])
  assert.equal(usual.threshold, engine.identifyThreshold)
  const [one, none] = await evaluate.clusters(engine, place, { thresholds: [-1, 1], strictStep: 0 })
  assert.deepEqual([one.clusters, one.mixed, one.pairs.slice(0, 2)], [1, 1, [1 / 3, 1]], 'everybody together: 1 of 3 pairs is right')
  assert.deepEqual([none.clusters, none.mixed, none.pairs.slice(0, 2), none.strictStep], [3, 0, [1, 0], 0])
  assert.equal((await failure(evaluate.clusters(engine, place, { thresholds: [2] }))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  assert.equal((await failure(evaluate.clusters(engine, join(place, 'none')))).code, 'ERR_FACEREC_IO')
  assert.equal((await failure(evaluate.clusters(engine, place, { signal: AbortSignal.abort() }))).code, 'ERR_FACEREC_CANCELLED')
})
