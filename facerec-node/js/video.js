'use strict'
// The sightings of a video as an async iterator.

const { binding } = require('./binding.js')
const { flagOf, raced, signalOf } = require('./abort.js')
const { adopt, copyOf, define } = require('./classes.js')
const { translated } = require('./errors.js')

const Sightings = copyOf(binding.Sightings)

/** What belongs to sightings besides the library's part: their signal, and how to let go of it. */
const lives = new WeakMap()

/** `engine.video`. */
function video(path, gallery, options) {
  try {
    const signal = signalOf(options)
    const { flag, release } = signal === undefined ? { release: () => {} } : flagOf(signal)
    const sightings = adopt(binding.Engine.prototype.video.call(this, path, gallery ?? undefined, options, flag), Sightings)
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

define(Sightings.prototype, {
  async next() {
    const life = lives.get(this)
    if (life.over) return { done: true, value: undefined }
    const start = () => binding.takeSighting(this)
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
    await binding.Sightings.prototype.close.call(this)
  },
  async [Symbol.asyncDispose]() {
    await this.close()
  },
  [Symbol.asyncIterator]() {
    return this
  },
})

module.exports = { Sightings, video }
