// The CommonJS entry has the same types.

import facerec = require('../../index.js')

export const engine: Promise<facerec.Engine> = facerec.Engine.create()
export const tracker: facerec.Tracker = new facerec.Tracker()
