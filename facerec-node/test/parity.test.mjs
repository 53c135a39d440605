// The same names in Rust, Python and Node, and the same answers from the same fixtures.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as api from '../index.mjs'
import { biden, clip, facerec, folder, obama, obama2, photos, root, shared, sharedEngine } from './setup.mjs'

const rust = (...args) =>
  execFileSync(facerec, ['--json', ...args], { encoding: 'utf8', maxBuffer: 1 << 30 }).trim().split('\n').map((line) => JSON.parse(line))
const rounded = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits
const box = (values) => values.map((value) => rounded(value, 2))

function same(faces, record) {
  assert.deepEqual(faces.map((face) => box(face.box)), record.faces.map((face) => face.box), record.image)
  assert.deepEqual(faces.map((face) => face.landmarks.map(box)), record.faces.map((face) => face.landmarks))
  faces.forEach(({ score, quality, embedding }, n) => {
    const theirs = record.faces[n]
    assert.deepEqual([rounded(score, 4), rounded(quality.score, 4), rounded(quality.facePx, 1)], [theirs.score, theirs.quality.score, theirs.quality.face_px])
    const cosine = embedding.reduce((sum, value, i) => sum + value * theirs.embedding[i], 0)
    assert.ok(cosine >= 0.99999, `${record.image}: cosine ${cosine}`)
  })
  return faces.length
}

/** What there is to call, and the `field`s of what is passed in and given back. */
const table = JSON.parse(readFileSync(join(root, 'fixtures', 'api.json'), 'utf8'))
const [calls, fields] = [table.filter((row) => row.what), table.filter((row) => row.field)]
const types = readFileSync(join(root, 'facerec-node', 'index.d.ts'), 'utf8')
const sources = (folder) =>
  readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.rs')).map((name) => readFileSync(join(folder, name), 'utf8')).join('\n')
const core = sources(join(root, 'facerec-core', 'src'))

/** The lines from `start` to the first one that is `end`. */
function block(text, start, end) {
  const found = text.match(start)
  assert.ok(found, String(start))
  const rest = text.slice(found.index)
  return rest.slice(0, rest.indexOf(end))
}

test('every name of fixtures/api.json is in Node, and the types have it', () => {
  assert.equal(calls.length + fields.length, table.length)
  const wanted = calls.filter((row) => row.node)
  assert.ok(wanted.length > 30)
  for (const { node } of wanted) {
    const [owner, name] = node.split('.')
    assert.ok(owner in api, node)
    if (name === undefined) continue
    const target = api[owner].prototype ?? api[owner]
    assert.ok(name in target || name in api[owner], node)
    assert.ok(new RegExp(`\\b${name}\\(|get ${name}\\(`).test(types), `${node} in index.d.ts`)
  }
  // And the other way round: nothing is offered that the table does not know.
  const listed = new Set(wanted.map((row) => row.node))
  const offered = Object.entries(api).filter(([name]) => name !== 'default').flatMap(([owner, value]) => {
    const members = value.prototype ? Object.getOwnPropertyNames(value.prototype).filter((name) => name !== 'constructor') : Object.keys(value)
    return members.map((name) => `${owner}.${name}`)
  })
  assert.deepEqual(offered.filter((name) => !listed.has(name) && !/\.(next|return)$/.test(name)), [])
})

test('every name of fixtures/api.json is in the Rust sources, and in the Python types where they are there', (context) => {
  for (const row of calls) assert.ok(row.python && row.node && (row.rust || row.what.includes('in Rust: drop')), `${row.what}: in all three`)
  for (const { rust } of calls.filter((row) => row.rust)) {
    const name = rust.split('::').at(-1)
    assert.ok(new RegExp(`pub (fn|struct|enum|trait|mod) ${name}\\b`).test(core), rust)
  }
  const python = join(root, 'facerec-py', 'python', 'facerec')
  if (!existsSync(python)) return context.skip('SKIPPED: no Python binding in this checkout')
  const stubs = ['_core.pyi', 'models.py', 'evaluate.py', '__init__.py'].map((name) => readFileSync(join(python, name), 'utf8')).join('\n')
  for (const { python } of calls.filter((row) => row.python)) {
    const name = python.split('.').at(-1)
    assert.ok(new RegExp(`(def|class|import) .*\\b${name}\\b`).test(stubs), python)
  }
})

test('every field of fixtures/api.json is in all three, and none is left out', (context) => {
  const node = (owner) => [...block(types, new RegExp(`export interface ${owner} \\{(?!\\})`), '\n}').matchAll(/^ {2}(\w+)\??:/gm)].map((found) => found[1])
  const rust = (owner) => [...block(core, new RegExp(`pub struct ${owner} `), '\n}').matchAll(/^ {4}pub (\w+):/gm)].map((found) => found[1])
  const listed = (language, owner) => fields.map((row) => row[language].match(/\w+/g)).filter((name) => name[0] === owner).map((name) => name.at(-1)).sort()
  for (const owner of ['GalleryOptions', 'GalleryStats']) assert.deepEqual(listed('node', owner), node(owner).sort(), `${owner} in Node`)
  assert.deepEqual(listed('rust', 'GalleryStats'), rust('GalleryStats').sort())
  for (const row of fields) assert.ok(new RegExp(`pub (fn )?${row.rust.split('::')[1]}\\b`).test(core), row.rust)
  const python = join(root, 'facerec-py', 'python', 'facerec')
  if (!existsSync(python)) return context.skip('SKIPPED: no Python binding in this checkout')
  const names = (text) => [...text.matchAll(/^ +(\w+): /gm)].map((found) => found[1]).sort()
  const stubs = readFileSync(join(python, '_core.pyi'), 'utf8')
  assert.deepEqual(listed('python', 'GalleryStats'), names(block(readFileSync(join(python, '_results.py'), 'utf8'), /class GalleryStats/, '\n\n\n')))
  assert.deepEqual([...listed('python', 'Engine'), 'path'].sort(), names(block(stubs, /def gallery\(/, ') ->')))
  assert.deepEqual([...listed('python', 'Engine'), 'engine', 'path'].sort(), names(block(stubs, /def open\(/, ') ->')))
})

test('photos: identical boxes, cosine at least 0.99999', async () => {
  const engine = await sharedEngine()
  const fixtures = join(root, 'fixtures', 'images')
  const files = [
    ...['people', 'strangers'].flatMap((name) => readdirSync(join(photos, name)).map((file) => join(photos, name, file))),
    ...readdirSync(fixtures).filter((name) => /\.(jpg|png|webp|gif|tif|bmp)$/.test(name)).map((name) => join(fixtures, name)),
  ]
  let faces = 0
  for (const record of rust('embed', ...files)) faces += same(await engine.embed(readFileSync(record.image)), record)
  console.log(`# ${files.length} pictures, ${faces} faces`)
  assert.ok(faces > 30)
})

test('the reference photos with other models', async (context) => {
  const folder = shared()
  if (folder === undefined) return context.skip()
  const { photos } = JSON.parse(readFileSync(join(root, 'fixtures', 'reference', 'reference.json'), 'utf8'))
  const files = [...new Set(photos.map((photo) => join(folder, 'data', 'photos', photo.file)))]
  const models = join(folder, 'models')
  const engine = await api.Engine.create({ models: [models], detector: 'scrfd-2.5g', embedder: 'edgeface-xs' })
  const records = rust('--models', models, '--detector', 'scrfd-2.5g', '--embedder', 'edgeface-xs', 'embed', ...files)
  let faces = 0
  for (const record of records) faces += same(await engine.embed(record.image), record)
  console.log(`# ${files.length} pictures, ${faces} faces`)
})

test('comparisons, galleries and videos', async () => {
  const engine = await sharedEngine()
  const path = folder()
  rust('enroll', '--gallery', path, '--person', 'Obama', obama)
  rust('enroll', '--gallery', path, '--person', 'Biden', biden)
  const [compared] = rust('compare', obama, obama2)
  const ours = await engine.compare(obama, obama2)
  assert.deepEqual([rounded(ours.similarity, 6), rounded(ours.threshold, 6), ours.same], [compared.similarity, compared.threshold, compared.same])
  const gallery = await engine.openGallery(path, { readOnly: true })
  const decision = ({ person, similarity, threshold, margin, reason, candidates }) => [
    person, rounded(similarity, 4), rounded(threshold, 4), rounded(margin, 4), reason, candidates.map((one) => [one.person, rounded(one.similarity, 4)]),
  ]
  const [identified] = rust('identify', '--gallery', path, obama2)
  assert.deepEqual((await engine.identify(gallery, obama2)).map(decision), identified.faces.map(decision))
  const records = rust('video', '--gallery', path, clip(), '--boxes')
  const { summary } = records.pop()
  const sightings = engine.video(clip(), gallery, { boxes: true })
  const seen = []
  for await (const one of sightings) seen.push(one)
  const track = ({ track, startMs, endMs, spans, frames, bestShots }) => [track, startMs, endMs, spans, frames, bestShots.length]
  const theirs = (one) => [one.track, one.start_ms, one.end_ms, one.spans_ms, one.frames, one.best_shots.length]
  assert.deepEqual(seen.map(decision), records.map(decision))
  assert.deepEqual(seen.map(track), records.map(theirs))
  assert.deepEqual(seen.map((one) => one.boxes.map(({ frame, ms, box: b }) => [frame, ms, ...box(b)])), records.map((one) => one.boxes))
  const { persons, tracks, frames } = sightings.summary
  assert.deepEqual([persons, tracks, frames], [summary.persons, summary.tracks, summary.frames])
  await gallery.close()
})
