'use strict'
// @facerec/node: the library of this platform, with signals, iterators and errors as JavaScript has them.

const { binding } = require('./js/binding.js')
const { promised } = require('./js/abort.js')
const { adopt, copyOf, define } = require('./js/classes.js')
const { throwing } = require('./js/errors.js')
const { reporting } = require('./js/progress.js')
const { modelFolders, runtimeLibrary } = require('./js/runtime.js')
const { Sightings, video } = require('./js/video.js')

const Engine = copyOf(binding.Engine)
const Gallery = copyOf(binding.Gallery)
/** It is made with `new`. */
const Tracker = copyOf(binding.Tracker)
const evaluate = {}
const models = {}

/** Methods that give promises: where their options stand, and whether the library has options there itself. */
const PROMISED = [
  [Engine, binding.Engine, { create: [0, true] }],
  [Engine.prototype, binding.Engine.prototype, { detect: [1], embed: [1], compare: [2], openGallery: [1, true], enroll: [3, true], identify: [2, true], cluster: [1, true] }],
  [
    Gallery.prototype,
    binding.Gallery.prototype,
    {
      people: [0], person: [1], faces: [1], remove: [1], removeFace: [1], rename: [2], exportTo: [1], importFrom: [1],
      merge: [2], split: [3], duplicates: [2], exportPerson: [2], setKey: [0, true], purgeExpired: [0], audit: [2],
      search: [2, true], add: [2, true], verify: [0], compact: [0], stats: [0], close: [0],
    },
  ],
  [evaluate, binding.evaluate, { pairs: [3], identification: [2], calibrate: [3], clusters: [2, true], report: [2, true], tracks: [2] }],
  [models, binding.models, { list: [0, true], packs: [0, true], path: [1, true], fetch: [0, true] }],
]

for (const [owner, native, methods] of PROMISED) {
  for (const [name, [position, takesOptions = false]] of Object.entries(methods)) {
    define(owner, { [name]: promised(native[name], position, takesOptions) })
  }
}

/** `call` with an options object that `complete` was asked to complete; what is no object is refused as it is. */
function completing(call, position, complete) {
  return function (...args) {
    const options = args[position]
    if (options === undefined || (typeof options === 'object' && options !== null)) args[position] = complete({ ...options })
    return call.apply(this, args)
  }
}

/** `call` whose promise is of an instance of `copy`. */
function making(call, copy) {
  return async function (...args) {
    return adopt(await call.apply(this, args), copy)
  }
}

const withFolders = (options) => ({ ...options, folders: modelFolders(options.folders) })
const withModels = (options) => ({
  ...options,
  models: modelFolders(options.models),
  libraryPath: options.libraryPath ?? runtimeLibrary(),
})
define(Engine, { create: completing(making(Engine.create, Engine), 0, withModels) })
define(Engine.prototype, {
  openGallery: reporting(making(Engine.prototype.openGallery, Gallery)),
  similarity: throwing(binding.Engine.prototype.similarity),
  video,
})
define(models, {
  list: completing(models.list, 0, withFolders),
  packs: completing(models.packs, 0, withFolders),
  path: completing(models.path, 1, withFolders),
})
for (const name of ['update', 'predict', 'cut', 'finish']) define(Tracker.prototype, { [name]: throwing(binding.Tracker.prototype[name]) })
define(Gallery.prototype, {
  [Symbol.asyncDispose]() {
    return this.close()
  },
})

module.exports = { Engine, Gallery, Sightings, Tracker, evaluate, models }
