// node examples/node/detect.mjs PHOTO: the faces of a photo.
import { Engine } from '../../facerec-node/index.mjs' // installed: '@facerec/node'

const engine = await Engine.create()
for (const face of await engine.detect(process.argv[2])) console.log(face.box, face.score)
