// node examples/node/upload.mjs GALLERY [PORT]: a server that says who is in an uploaded photo or video, as JSON Lines.
//
//   curl --data-binary @party.jpg http://127.0.0.1:8080/
//   curl --data-binary @party.mp4 -H 'Content-Type: video/mp4' http://127.0.0.1:8080/
//
// The upload is a stream, so is the answer: a video's people are sent as soon as they are known, and when the client goes
// away the work stops.
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Engine } from '../../facerec-node/index.mjs' // installed: '@facerec/node'

const engine = await Engine.create({ spinning: false })
const gallery = await engine.openGallery(process.argv[2], { readOnly: true })

async function* photo(request, signal) {
  for (const face of await engine.identify(gallery, await buffer(request), { signal })) {
    yield { person: face.person, similarity: face.similarity, box: face.box }
  }
}

async function* video(request, signal) {
  const folder = await mkdtemp(join(tmpdir(), 'upload-'))
  try {
    const file = join(folder, 'video')
    await pipeline(request, createWriteStream(file), { signal })
    for await (const seen of engine.video(file, gallery, { signal, pictures: false })) {
      yield { person: seen.person, startMs: seen.startMs, endMs: seen.endMs }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

const server = createServer(async (request, response) => {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.setHeader('Content-Type', 'application/x-ndjson')
  const isVideo = request.headers['content-type']?.startsWith('video/')
  try {
    for await (const line of (isVideo ? video : photo)(request, gone.signal)) response.write(`${JSON.stringify(line)}\n`)
  } catch (error) {
    if (!response.headersSent) response.statusCode = 400
    response.write(`${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`)
  }
  response.end()
})
server.listen(Number(process.argv[3] ?? 8080), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`))
