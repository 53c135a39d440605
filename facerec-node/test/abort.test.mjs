// Signals: before, during and after; and use after close.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Engine, evaluate } from '../index.mjs'
import { clip, failure, folder, obama, obama2, photos, sharedEngine, six } from './setup.mjs'

const isAbort = (error, signal) => {
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ERR_FACEREC_CANCELLED', signal.reason])
  return true
}

test('aborted before: rejects, nothing is done', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  const signal = AbortSignal.abort(new Error('no longer wanted'))
  for (const call of [
    () => engine.detect(obama, { signal }), () => engine.compare(obama, obama2, { signal }), () => engine.enroll(gallery, 'x', obama, { signal }),
    () => Engine.create({ signal }), () => gallery.people({ signal }), () => evaluate.calibrate(engine, photos, [0.5], { signal }),
    () => engine.video(clip(), gallery, { signal }).next(),
  ]) {
    isAbort(await failure(call), signal)
  }
  assert.deepEqual(await gallery.people(), [])
  await gallery.close()
})

test('aborted during: rejects at once, queued work is not begun', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  const controller = new AbortController()
  const { signal } = controller
  const photos = Array.from({ length: 40 }, () => engine.embed(six, { signal }))
  const last = engine.enroll(gallery, 'late', obama, { signal })
  const start = performance.now()
  controller.abort()
  const outcomes = await Promise.allSettled([...photos, last])
  const took = performance.now() - start
  for (const { reason } of outcomes) isAbort(reason, signal)
  assert.ok(took < 20, `rejected after ${took} ms`)
  // What was queued would take seconds.
  const next = performance.now()
  await engine.detect(obama)
  const waited = performance.now() - next
  const single = performance.now()
  await engine.embed(six)
  const one = performance.now() - single
  assert.ok(waited < 12 * one + 100, `the next call waited ${waited} ms, one picture takes ${one} ms`)
  assert.deepEqual(await gallery.people(), [], 'whoever was told it was aborted is not enrolled')
  await gallery.close()
})

test('aborted after: nothing happens, no listener stays', async () => {
  const engine = await sharedEngine()
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = function (...args) { listeners++; return addEventListener.apply(this, args) }
  signal.removeEventListener = function (...args) { listeners--; return removeEventListener.apply(this, args) }
  assert.equal((await engine.detect(obama, { signal })).length, 1)
  await failure(engine.detect('/no/such.jpg', { signal }))
  for await (const seen of engine.video(clip(), null, { signal })) assert.ok(seen.track)
  assert.equal(listeners, 0)
  controller.abort()
  await new Promise(setImmediate)
})

test('an evaluation stops at the next photo', async () => {
  const engine = await sharedEngine()
  const controller = new AbortController()
  const work = evaluate.calibrate(engine, photos, [0.5], { signal: controller.signal })
  setTimeout(() => controller.abort(), 5)
  isAbort(await failure(work), controller.signal)
})

test('after close everything rejects, closing again does not', async () => {
  const engine = await sharedEngine()
  const gallery = await engine.openGallery(folder())
  const running = engine.enroll(gallery, 'Obama', obama)
  await gallery.close()
  await gallery.close()
  assert.equal((await running).accepted, true, 'work under way is finished')
  for (const call of [
    () => gallery.people(), () => gallery.person('x'), () => gallery.faces('x'), () => gallery.remove('x'), () => gallery.removeFace(1), () => gallery.rename('x', 'y'),
    () => gallery.exportTo('x'), () => gallery.importFrom('x'), () => gallery.verify(), () => gallery.compact(), () => gallery.stats(),
    () => engine.enroll(gallery, 'x', obama), () => engine.identify(gallery, obama), () => engine.video(clip(), gallery),
  ]) {
    const error = await failure(call)
    assert.equal(error.code, 'ERR_FACEREC_INVALID_ARGUMENT')
    assert.match(error.message, /closed/)
  }
  const again = await engine.openGallery(gallery.path)
  assert.equal((await again.people()).length, 1)
  await again.close()
})
