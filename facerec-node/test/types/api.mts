// Compiled by tsc --strict, never run: the types are complete and true.

import {
  Engine, Gallery, Sightings, Tracker, evaluate, models,
  type Box, type Calibration, type ClusterReport, type Comparison, type DecisionReason, type EmbeddedFace, type Enrolment, type EnrolledFace, type ErrorCode, type EvaluationReport,
  type Face, type FacerecError, type GalleryStats, type IdentifiedFace, type ImageInput, type ImportReport, type Landmarks, type ModelInfo, type PackInfo, type Person,
  type Progress, type RejectReason, type Sighting, type TrackReport, type TrackStep, type VerifyReport, type VideoSummary,
} from '../../index.mjs'

/** Exactly the same type: `any` is equal to nothing else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function is<A, B>(_: Same<A, B>): void {}

const engine: Engine = await Engine.create({ device: 'cpu', threads: 2, models: ['models'], libraryPath: '/lib.so', signal: AbortSignal.timeout(1000) })
const inputs: ImageInput[] = [
  'a.jpg', Buffer.alloc(1), new Uint8Array(1), { data: new Uint8ClampedArray(4), width: 1, height: 1 }, { data: Buffer.alloc(3), width: 1, height: 1, channels: 3 },
]
is<Awaited<ReturnType<Engine['detect']>>, Face[]>(true)
is<Awaited<ReturnType<Engine['embed']>>, EmbeddedFace[]>(true)
is<Awaited<ReturnType<Engine['compare']>>, Comparison>(true)
is<Awaited<ReturnType<Engine['enroll']>>, Enrolment>(true)
is<Awaited<ReturnType<Engine['identify']>>, IdentifiedFace[]>(true)
is<Awaited<ReturnType<Engine['openGallery']>>, Gallery>(true)
is<ReturnType<Engine['video']>, Sightings>(true)
is<Awaited<ReturnType<Gallery['people']>>, Person[]>(true)
is<Awaited<ReturnType<Gallery['faces']>>, EnrolledFace[]>(true)
is<Awaited<ReturnType<Gallery['importFrom']>>, ImportReport>(true)
is<Awaited<ReturnType<Gallery['verify']>>, VerifyReport>(true)
is<Awaited<ReturnType<typeof evaluate.calibrate>>, Calibration[]>(true)
is<Awaited<ReturnType<typeof evaluate.clusters>>, ClusterReport[]>(true)
is<Awaited<ReturnType<typeof evaluate.report>>, EvaluationReport>(true)
is<Awaited<ReturnType<typeof evaluate.tracks>>, TrackReport>(true)
is<Awaited<ReturnType<Gallery['stats']>>, GalleryStats>(true)
is<GalleryStats['recall'], number | null>(true)
is<Awaited<ReturnType<typeof models.list>>, ModelInfo[]>(true)
is<Awaited<ReturnType<typeof models.packs>>, PackInfo[]>(true)
is<ModelInfo['commercial'], boolean | null>(true)

for (const input of inputs) {
  for (const face of await engine.embed(input)) {
    is<typeof face.box, Box>(true)
    is<typeof face.landmarks, Landmarks>(true)
    is<typeof face.embedding, Float32Array>(true)
    const [x1, , , y2]: [number, number, number, number] = face.box
    const similarity: number = engine.similarity(face.embedding, face.embedding) + x1 + y2
    void similarity
  }
}
const comparison = await engine.compare('a.jpg', 'b.jpg')
is<typeof comparison.similarity, number | null>(true)
is<typeof comparison.a, EmbeddedFace | null>(true)

await using gallery = await engine.openGallery('people', {
  readOnly: false, index: 'ivf', actor: 'the registrar', progress: (done, total) => { is<typeof done, number>(true); is<typeof total, number>(true) },
})
const enrolment = await engine.enroll(gallery, 'Ana', 'ana.jpg', { gate: 'strict', metadata: { year: 2026, tags: ['a', null] } })
is<typeof enrolment.reason, RejectReason | null>(true)
is<typeof enrolment.faceId, number | null>(true)
const [found] = await engine.identify(gallery, 'party.jpg', { minMargin: 0.1, signal: new AbortController().signal })
is<typeof found.person, string | null>(true)
is<typeof found.reason, DecisionReason>(true)

const sightings = engine.video('party.mp4', gallery, { everyFrame: true, signal: AbortSignal.abort() })
for await (const seen of sightings) {
  is<typeof seen, Sighting>(true)
  is<typeof seen.person, string | null>(true)
  is<(typeof seen.spans)[number], [startMs: number, endMs: number]>(true)
  const picture = seen.bestShots[0]?.picture
  if (picture) await engine.detect(picture)
}
is<typeof sightings.summary, VideoSummary | null>(true)
is<typeof sightings.progress, Progress>(true)
engine.video('party.mp4', null)
await sightings.return()
await sightings[Symbol.asyncDispose]()

const tracker = new Tracker({ keepLostMs: 500 })
is<ReturnType<Tracker['update']>, TrackStep>(true)
tracker.update(0, await engine.detect('a.jpg'))

try {
  await models.fetch({ pack: 'default', acceptLicence: true })
} catch (error) {
  const code: ErrorCode = (error as FacerecError).code
  if (code === 'ERR_FACEREC_LICENCE_NOT_ACCEPTED') throw error
}

// What must not compile.
// @ts-expect-error: no such option
await Engine.create({ gpu: true })
// @ts-expect-error: not a picture
await engine.detect(5)
// @ts-expect-error: no such gate
await engine.enroll(gallery, 'Ana', 'ana.jpg', { gate: 'lenient' })
// @ts-expect-error: no such kind of index
await engine.openGallery('people', { index: 'brute' })
// @ts-expect-error: options are an object
await gallery.people(5)
// @ts-expect-error: an embedding is no array
const wrong: number[] = found.embedding
// @ts-expect-error: no such code
const misspelt: ErrorCode = 'ERR_FACEREC_NOPE'
void wrong, misspelt
