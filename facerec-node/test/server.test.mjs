// A gallery on a PostgreSQL server: its address where a folder would stand.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { biden, clip, failure, folder, obama, obama2, server, sharedEngine } from './setup.mjs'

const database = await server()

test('a gallery on a server is like one in a folder', async (context) => {
  if (database === undefined) return context.skip()
  const engine = await sharedEngine()
  const address = `${database}?gallery=people`
  const gallery = await engine.openGallery(address, { actor: 'the registrar' })
  assert.equal(gallery.path, address)
  assert.equal((await engine.enroll(gallery, 'Obama', obama, { metadata: { site: 'north' } })).accepted, true)
  // Others write at the same time, and their changes are seen at once.
  const other = await engine.openGallery(gallery.path)
  await other.rename('Obama', 'Barack')
  await engine.enroll(gallery, 'Biden', biden)
  assert.deepEqual((await other.people()).map((one) => one.name), ['Barack', 'Biden'])
  await other.close()
  assert.equal((await engine.identify(gallery, obama2))[0].person, 'Barack')
  const { embedding } = (await engine.embed(obama))[0]
  assert.deepEqual((await gallery.search(embedding, 5, { only: ['Biden'] })).map((one) => one.person), ['Biden'])
  const { people, faces, indexKind, recall, tombstones, indexBytesPerFace, indexBuilding, encrypted } = await gallery.stats()
  assert.deepEqual([people, faces, indexKind, recall], [2, 2, 'pgvector-exact', 1])
  assert.deepEqual([tombstones, indexBytesPerFace, indexBuilding, encrypted], [0, 0, false, false])
  const log = Object.fromEntries((await gallery.audit(0, 100)).map(({ action, actor }) => [action, actor]))
  assert.deepEqual([log.create, log.add], ['the registrar', 'the registrar'])
  assert.notEqual(log.rename, 'the registrar')
  assert.ok((await gallery.verify()).ok)
  const seen = new Set()
  for await (const one of engine.video(clip(), gallery)) seen.add(one.person)
  assert.ok(seen.has('Barack') && seen.has('Biden'))
  const file = join(folder(), 'export.jsonl')
  assert.equal(await gallery.exportTo(file), 2)
  const copy = await engine.openGallery(folder())
  assert.equal((await copy.importFrom(file)).faces, 2)
  await copy.close()
  assert.equal(await gallery.remove('Barack'), 1)
  assert.equal((await engine.identify(gallery, obama))[0].person, null)
  await gallery.close()
})

test('a graph is asked for by the kind of index', async (context) => {
  if (database === undefined) return context.skip()
  const engine = await sharedEngine()
  const address = `${database}?gallery=graph`
  const gallery = await engine.openGallery(address, { index: 'hnsw' })
  await engine.enroll(gallery, 'Obama', obama)
  const stats = await gallery.stats()
  assert.deepEqual([stats.indexKind, stats.recall], ['pgvector-hnsw', null])
  assert.equal((await engine.identify(gallery, obama))[0].person, 'Obama')
  await gallery.close()
  const reader = await engine.openGallery(address, { index: 'flat', readOnly: true })
  assert.equal((await reader.stats()).indexKind, 'pgvector-exact')
  await reader.close()
  for (const options of [{ index: 'ivf' }, { key: new Uint8Array(32) }]) {
    assert.equal((await failure(engine.openGallery(address, options))).code, 'ERR_FACEREC_INVALID_ARGUMENT')
  }
})

test('what is wrong with an address is told without its password', async (context) => {
  if (database === undefined) return context.skip()
  const engine = await sharedEngine()
  assert.equal((await failure(engine.openGallery(`${database}?gallery=nobody`, { create: false }))).code, 'ERR_FACEREC_IO')
  const error = await failure(engine.openGallery('postgres://facerec:open-sesame@127.0.0.1:9/postgres?gallery=x&timeout_s=1'))
  assert.equal(error.code, 'ERR_FACEREC_IO')
  assert.doesNotMatch(error.message + error.stack, /sesame/)
  const gallery = await engine.openGallery(`${database.replace('facerec@', 'facerec:open-sesame@')}?gallery=secret`)
  assert.doesNotMatch(gallery.path, /sesame/)
  await gallery.close()
})
