import facerec from './index.js'

export const { Engine, Gallery, Sightings, Tracker, evaluate, models } = facerec
