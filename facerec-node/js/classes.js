'use strict'
// The library's classes as users see them.

/**
 * A class of this copy of the package over the library's. There may be several copies in a thread: each adds its methods to a class
 * of its own, what one copy made may be given to another one, and is an instance of its class too.
 */
function copyOf(native) {
  const { name } = native
  const copy = {
    [name]: class extends native {
      static [Symbol.hasInstance](value) {
        return this === copy ? value instanceof native : Function.prototype[Symbol.hasInstance].call(this, value)
      }
    },
  }[name]
  return copy
}

/** What the library made, as an instance of this copy's class. */
function adopt(instance, copy) {
  return Object.setPrototypeOf(instance, copy.prototype)
}

/** Sets methods that do not show up in loops. */
function define(owner, methods) {
  for (const key of Reflect.ownKeys(methods)) {
    Object.defineProperty(owner, key, { value: methods[key], writable: true, configurable: true })
  }
}

module.exports = { adopt, copyOf, define }
