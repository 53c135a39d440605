'use strict'
// @facerec/node: the library of this platform, with signals, iterators and errors as JavaScript has them.

const binding = require('./js/binding.js')
const { promised } = require('./js/abort.js')
const { throwing } = require('./js/errors.js')
const { reporting } = require('./js/progress.js')
const { modelFolders, runtimeLibrary } = require('./js/runtime.js')
require('./js/video.js')

const { Engine, Gallery, Sightings, evaluate, models } = binding

/** Methods that give promises: where their options stand, and whether the library has options there itself. */
const PROMISED = [
  [Engine, { create: [0, true] }],
  [Engine.prototype, { detect: [1], embed: [1], compare: [2], openGallery: [1, true], enroll: [3, true], identify: [2, true], cluster: [1, true] }],
  [
    Gallery.prototype,
    { people: [0], person: [1], faces: [1], remove: [1], removeFace: [1], rename: [2], exportTo: [1], importFrom: [1] },
  ],
  [Gallery.prototype, { merge: [2], split: [3], duplicates: [2], exportPerson: [2], setKey: [0, true], purgeExpired: [0], audit: [2] }],
  [Gallery.prototype, { search: [2, true], add: [2, true], verify: [0], compact: [0], stats: [0], close: [0] }],
  [evaluate, { pairs: [3], identification: [2], calibrate: [3], clusters: [2, true], tracks: [2] }],
  [models, { list: [0, true], path: [1, true], fetch: [0, true] }],
]

for (const [owner, methods] of PROMISED) {
  for (const [name, [position, takesOptions = false]] of Object.entries(methods)) {
    owner[name] = promised(owner[name], position, takesOptions)
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

const folders = (options) => ({ ...options, folders: modelFolders(options.folders) })
Engine.create = completing(Engine.create, 0, (options) => ({
  ...options,
  models: modelFolders(options.models),
  libraryPath: options.libraryPath ?? runtimeLibrary(),
}))
models.list = completing(models.list, 0, folders)
models.path = completing(models.path, 1, folders)

Engine.prototype.openGallery = reporting(Engine.prototype.openGallery)

Engine.prototype.similarity = throwing(Engine.prototype.similarity)

/** The library's tracker, throwing translated errors. */
class Tracker extends binding.Tracker {}
for (const name of ['update', 'predict', 'cut', 'finish']) Tracker.prototype[name] = throwing(binding.Tracker.prototype[name])

Gallery.prototype[Symbol.asyncDispose] = function () {
  return this.close()
}

module.exports = { Engine, Gallery, Sightings, Tracker, evaluate, models }
