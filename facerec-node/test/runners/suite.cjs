'use strict'
// What a user's test file does, for jest and vitest alike: they evaluate the package anew for each file, in a context of its own.

const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/** `test` and `expect` are the runner's; the package is what it found, and photos and a clip are where the environment says. */
module.exports = function suite({ Engine, Gallery, Sightings, Tracker, evaluate, models }, test, expect, realm) {
  const { FACEREC_TEST_PHOTO: photo, FACEREC_TEST_CLIP: clip } = process.env

  test('a video gives its sightings, and the loop may be left', async () => {
    const engine = await Engine.create({ threads: 1 })
    expect(engine instanceof Engine).toBe(true)
    const folder = mkdtempSync(join(tmpdir(), 'facerec-'))
    const gallery = await engine.openGallery(folder)
    expect(gallery instanceof Gallery).toBe(true)
    expect((await engine.enroll(gallery, 'Obama', photo)).accepted).toBe(true)
    const video = engine.video(clip, gallery)
    expect(video instanceof Sightings).toBe(true)
    for await (const seen of video) {
      expect(seen.startMs).toBeGreaterThanOrEqual(0)
      break
    }
    await video.close()
    await gallery.close()
    rmSync(folder, { recursive: true })
  }, 60_000)

  test('errors are errors here, and signals of here are heard', async () => {
    const engine = await Engine.create({ threads: 1 })
    const wrong = [() => engine.detect('/no/such.jpg'), () => engine.detect(5), () => engine.video('/no/such.mp4').next(), () => models.path('none')]
    for (const call of wrong) {
      const error = await call().catch((error) => error)
      expect(error instanceof realm.Error).toBe(true)
      expect(error.code).toMatch(/^ERR_FACEREC_/)
    }
    expect(() => engine.similarity(1, 2)).toThrow(realm.Error)
    const controller = new AbortController()
    const work = engine.embed(photo, { signal: controller.signal }).catch((error) => error)
    controller.abort()
    expect((await work).name).toBe('AbortError')
    const video = engine.video(clip, undefined, { signal: AbortSignal.abort() })
    expect((await video.next().catch((error) => error)).code).toBe('ERR_FACEREC_CANCELLED')
  }, 60_000)

  test('the rest is there', async () => {
    const tracker = new Tracker()
    expect(tracker instanceof Tracker).toBe(true)
    tracker.cut()
    expect((await models.list()).length).toBeGreaterThan(0)
    expect(typeof evaluate.pairs).toBe('function')
  }, 60_000)
}
