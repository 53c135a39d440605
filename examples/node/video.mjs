// node examples/node/video.mjs GALLERY VIDEO: who is in a video, from when to when.
import { Engine } from '../../facerec-node/index.mjs' // installed: '@facerec/node'

const engine = await Engine.create()
const gallery = await engine.openGallery(process.argv[2])
for await (const seen of engine.video(process.argv[3], gallery)) console.log(seen.person ?? 'unknown', seen.startMs, seen.endMs)
