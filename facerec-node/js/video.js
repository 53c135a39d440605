'use strict'
// The sightings of a video as an async iterator.

const { Engine, Sightings } = require('./binding.js')
const { flagOf, raced, signalOf } = require('./abort.js')
const { translated } = require('./errors.js')

/** What belongs to sightings besides the library's part: their signal, and how to let go of it. */
const lives = new WeakMap()

const { video } = Engine.prototype
const { take, close, halt } = Sightings.prototype

/** Videos that may be under way, those without a summary: `process.exit` lets go of nothing by itself. */
const running = new Set()
process.on('exit', () => {
  for (const reference of running) {
    const sightings = reference.deref()
    if (sightings) halt.call(sightings)
  }
})

Engine.prototype.video = function (path, gallery, options) {
  try {
    const signal = signalOf(options)
    const { flag, release } = signal === undefined ? { release: () => {} } : flagOf(signal)
    const sightings = video.call(this, path, gallery ?? undefined, options, flag)
    for (const reference of running) if (reference.deref()?.summary !== null) running.delete(reference)
    running.add(new WeakRef(sightings))
    lives.set(sightings, { signal, release, over: false })
    return sightings
  } catch (error) {
    throw translated(error)
  }
}

/** An iterator that is over stays over, and its signal is forgotten. */
function end(life) {
  life.over = true
  life.release()
}

const iteration = {
  async next() {
    const life = lives.get(this)
    if (life.over) return { done: true, value: undefined }
    const start = () => take.call(this)
    try {
      const value = await (life.signal === undefined ? start() : raced(life.signal, start))
      if (value !== null) return { done: false, value }
    } catch (error) {
      end(life)
      throw translated(error)
    }
    end(life)
    return { done: true, value: undefined }
  },
  async return() {
    await this.close()
    return { done: true, value: undefined }
  },
  async close() {
    end(lives.get(this))
    await close.call(this)
  },
  async [Symbol.asyncDispose]() {
    await this.close()
  },
  [Symbol.asyncIterator]() {
    return this
  },
}

for (const key of Reflect.ownKeys(iteration)) {
  Object.defineProperty(Sightings.prototype, key, { value: iteration[key], writable: true, configurable: true })
}
delete Sightings.prototype.take
delete Sightings.prototype.halt
