'use strict'
// Promises that a signal rejects at once.

const { binding } = require('./binding.js')
const { abortError, invalid, translated } = require('./errors.js')

/** The signal of a call's options, checked. */
function signalOf(options) {
  if (options === undefined) return undefined
  if (options === null || typeof options !== 'object') throw invalid('options', 'an object', options)
  const { signal } = options
  if (signal === undefined) return undefined
  if (typeof signal?.addEventListener !== 'function') throw invalid('signal', 'an AbortSignal', signal)
  return signal
}

/** Sets a flag for the library when the signal is aborted; `release` takes the listener back. */
function flagOf(signal) {
  const flag = binding.newCancel()
  const onAbort = () => binding.cancel(flag)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return { flag, release: () => signal.removeEventListener('abort', onAbort) }
}

/** The promise of `start()`, which the signal rejects at once, whether or not the work can stop. */
function raced(signal, start) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal))
    const onAbort = () => reject(abortError(signal))
    const work = start()
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = (outcome) => (value) => {
      signal.removeEventListener('abort', onAbort)
      outcome(value)
    }
    work.then(settle(resolve), settle(reject))
  })
}

/**
 * A method of the library as users call it: it takes its signal out of the options at `position`, and never throws but
 * rejects. `takesOptions`: the library has options of its own there.
 */
function promised(method, position, takesOptions) {
  return async function (...args) {
    const options = args[position]
    const given = Array.from({ length: position }, (_, index) => args[index])
    if (takesOptions) given.push(options)
    try {
      const signal = signalOf(options)
      if (signal === undefined) return await method.apply(this, given)
      const { flag, release } = flagOf(signal)
      try {
        return await raced(signal, () => method.call(this, ...given, flag))
      } finally {
        release()
      }
    } catch (error) {
      throw translated(error)
    }
  }
}

module.exports = { flagOf, promised, raced, signalOf }
