'use strict'
// Errors as users meet them.

const { isNativeError } = require('node:util').types

/** N-API's words for an argument of the wrong type, and what its types are called in JavaScript. */
const REFUSED = /Failed to convert (?:JavaScript|napi) value `?(.*?)`? into rust type `(\w+)`/
const TYPES = { String: 'a string', f64: 'a number', bool: 'true or false' }

/**
 * The library's own errors have their code. What N-API refuses before the library sees it is an invalid argument, but for
 * the panics it caught; errors of somebody else (a getter of an options object, say) stay as they are.
 */
function translated(error) {
  if (!isNativeError(error) || typeof error.code !== 'string') return error
  if (error.code.startsWith('ERR_FACEREC_')) return local(error)
  if (error.code.startsWith('ERR_')) return error
  const panic = error.code === 'GenericFailure'
  error.code = panic ? 'ERR_FACEREC_INTERNAL' : 'ERR_FACEREC_INVALID_ARGUMENT'
  const message = error.message.replace(REFUSED, (_, got, type) => `expected ${TYPES[type] ?? type}, got \`${got.trim()}\``)
  error.message = `${panic ? 'internal error, please report it' : 'invalid argument'}: ${message}`
  return local(error)
}

/** The library's errors are those of Node's own global object; a test runner's files have another one, with another `Error`. */
function local(error) {
  if (error instanceof Error) return error
  const { name, code, message, stack, cause } = error
  const copy = cause === undefined ? new Error(message) : new Error(message, { cause })
  for (const [key, value] of Object.entries({ name, code, stack })) {
    Object.defineProperty(copy, key, { value, writable: true, configurable: true, enumerable: key === 'code' })
  }
  return copy
}

function invalid(name, expected, got) {
  const error = new TypeError(`invalid argument \`${name}\`: expected ${expected}, got \`${got === null ? 'null' : typeof got}\``)
  error.code = 'ERR_FACEREC_INVALID_ARGUMENT'
  return error
}

/** What a promise rejects with whose signal was aborted. */
function abortError(signal) {
  const error = new Error('cancelled by the caller', { cause: signal.reason })
  error.name = 'AbortError'
  error.code = 'ERR_FACEREC_CANCELLED'
  return error
}

/** `method`, but throwing translated errors. */
function throwing(method) {
  return function (...args) {
    try {
      return method.apply(this, args)
    } catch (error) {
      throw translated(error)
    }
  }
}

module.exports = { abortError, invalid, throwing, translated }
