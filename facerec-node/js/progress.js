'use strict'
// Opening a gallery with a function that is told how far it is.

const { invalid } = require('./errors.js')

/** `open` whose options may have a `progress` that throws: the call rejects with that, and the gallery is closed again. */
function reporting(open) {
  return async function (path, options) {
    const tell = options?.progress ?? undefined
    if (tell === undefined) return open.call(this, path, options)
    if (typeof tell !== 'function') throw invalid('progress', 'a function', tell)
    let failed
    const progress = (done, total) => {
      if (failed !== undefined) return
      try {
        tell(done, total)
      } catch (error) {
        failed = { error }
      }
    }
    const gallery = await open.call(this, path, { ...options, progress })
    if (failed === undefined) return gallery
    await gallery.close()
    throw failed.error
  }
}

module.exports = { reporting }
