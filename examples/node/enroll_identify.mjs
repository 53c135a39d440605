// node examples/node/enroll_identify.mjs GALLERY PERSON PHOTO OTHER: enrols a person, then says who is in another photo.
import { Engine } from '../../facerec-node/index.mjs' // installed: '@facerec/node'

const [path, person, photo, other] = process.argv.slice(2)
const engine = await Engine.create()
const gallery = await engine.openGallery(path)
await engine.enroll(gallery, person, photo)
for (const face of await engine.identify(gallery, other)) console.log(face.box, face.person ?? 'unknown', face.similarity)
await gallery.close()
