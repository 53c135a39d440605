// Videos: one sighting per track, in a loop that can be left.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { biden, clip, failure, folder, obama, sharedEngine } from './setup.mjs'

async function known() {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  await engine.enroll(gallery, 'Obama', obama)
  await engine.enroll(gallery, 'Biden', biden)
  return { engine, gallery }
}

/** Names of this process's threads; one may end while they are read. */
const threads = () =>
  readdirSync('/proc/self/task').flatMap((id) => {
    try {
      return [readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()]
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error
      return []
    }
  })
/** Those of videos: the threads that do the work of promises stay. */
const busy = () => threads().filter((name) => name.startsWith('facerec') && name !== 'facerec-work').length

/** A thread that has freed everything and said so may still be on its way out. */
async function idle() {
  for (let tries = 0; busy() > 0 && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(busy(), 0, `threads are left: ${threads()}`)
}

test('a video gives one named sighting per person, and a summary', async () => {
  const { engine, gallery } = await known()
  const sightings = engine.video(clip(), gallery, { boxes: true })
  assert.equal(sightings.summary, null)
  const seen = []
  for await (const one of sightings) seen.push(one)
  const named = seen.filter((one) => one.person !== null)
  assert.deepEqual(named.map((one) => one.person), ['Obama', 'Biden'])
  assert.ok(seen.length > 4, 'strangers too')
  for (const one of seen) {
    assert.ok(one.startMs <= one.endMs && one.frames === one.boxes.length && !one.provisional)
    assert.ok(one.bestShots.every((shot) => shot.picture.data.length === shot.picture.width * shot.picture.height * 3))
  }
  assert.ok(named[0].bestShots[0].embedding instanceof Float32Array)
  assert.equal((await engine.identify(gallery, named[0].bestShots.at(-1).picture))[0]?.person ?? 'Obama', 'Obama', 'a picture is an input')
  const { frames, durationMs, tracks, persons, unknownTracks, cuts } = sightings.summary
  assert.deepEqual([tracks, unknownTracks, Object.keys(persons).sort()], [seen.length, seen.length - 2, ['Biden', 'Obama']])
  assert.ok(frames === 126 && durationMs === 5000 && cuts === 2, JSON.stringify(sightings.summary))
  assert.deepEqual(persons.Obama, named[0].spans)
  assert.equal(sightings.progress.frames, frames)
  assert.deepEqual(await sightings.next(), { done: true, value: undefined })
  await gallery.close()
})

test('options reach the pipeline', async () => {
  const engine = await sharedEngine()
  const run = async (options) => {
    const sightings = engine.video(clip(), null, options)
    const seen = []
    for await (const one of sightings) seen.push(one)
    return { seen, summary: sightings.summary }
  }
  const all = await run({ everyFrame: true, pictures: false })
  assert.equal(all.summary.framesDetected, all.summary.frames)
  assert.ok(all.seen.every((one) => one.person === null && one.reason !== 'match' && one.bestShots.every((shot) => shot.picture === null)))
  const part = await run({ startMs: 2000, endMs: 3000, bestShots: 1, workers: 1 })
  assert.ok(part.summary.frames < 30 && part.seen.every((one) => one.startMs >= 2000 && one.endMs <= 3000 && one.bestShots.length <= 1))
})

test('leaving the loop ends the work and frees everything', async () => {
  const { engine, gallery } = await known()
  const sightings = engine.video(clip(), gallery, { provisional: true, rejoinWithinMs: 0 })
  for await (const one of sightings) {
    assert.ok(one.track)
    break
  }
  await idle()
  assert.deepEqual(await sightings.next(), { done: true, value: undefined })
  assert.notEqual(sightings.summary, null)
  const thrown = await failure(async () => {
    for await (const _ of engine.video(clip(), gallery, { rejoinWithinMs: 0 })) throw new Error('mine')
  })
  assert.equal(thrown.message, 'mine')
  const unread = engine.video(clip(), gallery)
  await unread.close()
  await unread[Symbol.asyncDispose]()
  await idle()
  await gallery.close()
  await (await engine.openGallery(gallery.path)).close() // nobody holds its lock
})

test('a signal ends a video at once, and its threads soon', async () => {
  const { engine, gallery } = await known()
  const controller = new AbortController()
  const sightings = engine.video(clip(), gallery, { signal: controller.signal, everyFrame: true })
  const pending = sightings.next()
  setTimeout(() => controller.abort('enough'), 100)
  const error = await failure(pending)
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ERR_FACEREC_CANCELLED', 'enough'])
  const start = performance.now()
  await sightings.close()
  assert.ok(performance.now() - start < 1000, `the work went on for ${performance.now() - start} ms`)
  await idle()
  assert.ok(sightings.summary.frames < 126, 'it really stopped')
  await gallery.close()
})

test('what is no video rejects the first step', async () => {
  const engine = await sharedEngine()
  const path = folder()
  const file = (name, bytes) => (writeFileSync(join(path, name), bytes), join(path, name))
  const whole = readFileSync(clip())
  const codes = { ERR_FACEREC_IO: ['/no/such.mp4', path], ERR_FACEREC_DECODE_VIDEO: [file('text.mp4', 'no video'), file('empty.mp4', '')] }
  for (const [code, inputs] of Object.entries(codes)) {
    for (const input of inputs) {
      const sightings = engine.video(input)
      assert.equal((await failure(sightings.next())).code, code)
      assert.deepEqual(await sightings.next(), { done: true, value: undefined })
    }
  }
  assert.match((await failure(engine.video(file('cut.mp4', whole.subarray(0, whole.length / 2))).next())).code, /DECODE_VIDEO/)
})

test('two videos and photos at the same time', async () => {
  const { engine, gallery } = await known()
  const watch = async () => {
    const names = []
    for await (const one of engine.video(clip(), gallery)) if (one.person) names.push(one.person)
    return names
  }
  const [a, b, faces] = await Promise.all([watch(), watch(), engine.identify(gallery, obama)])
  assert.deepEqual([a, b, faces[0].person], [['Obama', 'Biden'], ['Obama', 'Biden'], 'Obama'])
  await gallery.close()
})

/** A camera that sends `data` to each of so many connections, and then is gone. Resolves to its port. */
async function camera(data, connections = 1) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(data)
    if (--connections === 0) server.close()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return server.address().port
}

test('a camera that is lost rejects after what it showed, and is tried again when asked', async () => {
  const { engine, gallery } = await known()
  const stream = join(folder(), 'clip.ts')
  execFileSync('ffmpeg', ['-v', 'error', '-i', clip(), '-an', '-c:v', 'copy', stream])
  const data = readFileSync(stream)
  const watch = async (connections, options) => {
    const sightings = engine.video(`tcp://cam:SecretPw@127.0.0.1:${await camera(data, connections)}`, gallery, { timeoutMs: 5000, ...options })
    const error = await failure(async () => {
      for await (const seen of sightings) assert.ok(seen.track >= 0)
    })
    assert.equal(error.code, 'ERR_FACEREC_SOURCE_LOST')
    assert.ok(!error.message.includes('SecretPw'), error.message)
    return { error, summary: sightings.summary }
  }
  const lost = await watch(1, {})
  assert.ok(lost.summary.frames > 50)
  assert.deepEqual(lost.summary.reception, { tooSlow: 0, undecodable: 0, clockJumps: 0, absences: [] })
  const again = await watch(2, { reconnectMs: 2000 })
  assert.match(again.error.message, /did not come back within 2s/)
  const [[first, back], [, never]] = again.summary.reception.absences
  assert.ok(first < back && never === null, JSON.stringify(again.summary))
  const sightings = engine.video(`tcp://127.0.0.1:${await camera(data)}`, null, { reconnectMs: Infinity })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await sightings.return()
  await idle()
})
