// @vladmandic/face-api (TensorFlow.js on its wasm backend, its best models: SSD MobileNet v1, 68 landmarks, 128-d descriptor)
// beside @facerec/node (default pack), in one process, on the same decoded pixels, taking turns.
//
//   benches/compare/face_api/run.sh [PAIRS_PER_FOLD_AND_CLASS]
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Engine } from '../../../facerec-node/index.mjs'

const [tools, shared, perClass = '20', rounds = '3'] = process.argv.slice(2)
const require = createRequire(join(tools, 'x.js'))
const sharp = require('sharp')
const tf = require('@tensorflow/tfjs')
const wasm = require('@tensorflow/tfjs-backend-wasm')
wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/wasm-out/`)
const home = dirname(require.resolve('@vladmandic/face-api/package.json'))
const faceapi = require(join(home, 'dist', 'face-api.node-wasm.js'))
await tf.setBackend('wasm')
await tf.ready()
for (const net of ['ssdMobilenetv1', 'faceLandmark68Net', 'faceRecognitionNet']) await faceapi.nets[net].loadFromDisk(join(home, 'model'))
const engine = await Engine.create()

async function pixels(file) {
  const { data, info } = await sharp(file).rotate().removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: 3 }
}

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1)
const sides = {
  async face_api({ data, width, height }, minConfidence = 0.5) {
    const tensor = tf.tensor3d(data, [height, width, 3], 'int32')
    const options = new faceapi.SsdMobilenetv1Options({ minConfidence }) // 0.5 is its default
    const found = await faceapi.detectAllFaces(tensor, options).withFaceLandmarks().withFaceDescriptors()
    tensor.dispose()
    return found.map(({ detection: { box }, descriptor }) => ({ box: [box.left, box.top, box.right, box.bottom], vector: descriptor }))
  },
  async facerec(image) {
    return (await engine.embed(image)).map(({ box, embedding }) => ({ box, vector: embedding }))
  },
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** The boxes of dlib's own annotation: a face counts as found when its box overlaps one of them, as a false one otherwise. */
function annotated(folder) {
  const truth = new Map()
  for (const file of ['testing.xml', 'training.xml']) {
    for (const [, name, inside] of readFileSync(join(folder, file), 'utf8').matchAll(/<image file='([^']*)'[^>]*>([\s\S]*?)<\/image>/g)) {
      const number = (box, key) => Number(box.match(new RegExp(`${key}='(-?\\d+)'`))[1])
      const boxes = [...inside.matchAll(/<box[^>]*>/g)].map(([box]) => {
        const [x, y] = [number(box, 'left'), number(box, 'top')]
        return [x, y, x + number(box, 'width'), y + number(box, 'height')]
      })
      truth.set(name, boxes)
    }
  }
  return truth
}

function overlap(a, b) {
  const [w, h] = [Math.min(a[2], b[2]) - Math.max(a[0], b[0]), Math.min(a[3], b[3]) - Math.max(a[1], b[1])]
  const shared = Math.max(w, 0) * Math.max(h, 0)
  return shared / (area(a) + area(b) - shared)
}

/** How many of the true boxes are found, and how many boxes are none of them. The two networks frame faces differently. */
function judge(found, truth) {
  const hit = (a, others) => others.some((b) => overlap(a, b) >= 0.25)
  return { found: truth.filter((box) => hit(box, found)).length, false: found.filter((box) => !hit(box, truth)).length }
}

/** Medians in milliseconds, the two taking turns. */
async function race(image, rounds) {
  const times = { face_api: [], facerec: [] }
  const boxes = {}
  for (let round = -1; round < rounds; round++) {
    for (const side of Object.keys(sides)) {
      const start = performance.now()
      boxes[side] = (await sides[side](image)).map((face) => face.box)
      if (round >= 0) times[side].push(performance.now() - start) // the first one warms up
    }
  }
  const faces = { face_api: boxes.face_api.length, facerec: boxes.facerec.length }
  return { faces, boxes, ms: { face_api: median(times.face_api), facerec: median(times.facerec) } }
}

const report = { backend: tf.getBackend(), face_api: require(join(home, 'package.json')).version, photos: [] }
const photos = join(shared, 'data', 'photos')
const folder = join(photos, 'dlib_faces')
const files = [join(photos, 'groups', 't1.jpg'), ...readdirSync(folder).filter((name) => name.endsWith('.jpg')).map((name) => join(folder, name))]
const truth = annotated(folder)
report.dlib_faces = { true_faces: 0, face_api: { found: 0, false: 0 }, facerec: { found: 0, false: 0 } }
for (const file of files) {
  const { boxes, ...rest } = await race(await pixels(file), Number(rounds))
  report.photos.push({ photo: file.slice(photos.length + 1), ...rest })
  const real = truth.get(file.slice(folder.length + 1))
  if (real === undefined) continue
  report.dlib_faces.true_faces += real.length
  for (const side of Object.keys(sides)) {
    const judged = judge(boxes[side], real)
    report.dlib_faces[side].found += judged.found
    report.dlib_faces[side].false += judged.false
  }
}
const sum = (rows, side, key) => rows.reduce((total, row) => total + row[key][side], 0)
report.time_ratio = report.photos.map((one) => one.ms.face_api / one.ms.facerec)
report.total_time_ratio = sum(report.photos, 'face_api', 'ms') / sum(report.photos, 'facerec', 'ms')
console.error(JSON.stringify({ dlib_faces: report.dlib_faces, total_time_ratio: report.total_time_ratio, lowest: Math.min(...report.time_ratio) }))

if (perClass === '0') {
  console.log(JSON.stringify(report, null, 1))
  process.exit()
}

// LFW pairs: the largest face of each photo; accuracy with the threshold chosen on the other folds; no face is wrong.
const lines = readFileSync(join(shared, 'data', 'lfw', 'pairs.txt'), 'utf8').trim().split('\n').map((line) => line.split(/\s+/))
const [folds, size] = lines.shift().map(Number)
const place = (name, number) => join(shared, 'data', 'lfw', 'images', name, `${name}_${number.padStart(4, '0')}.jpg`)
const pairs = []
for (let fold = 0; fold < folds; fold++) {
  for (const start of [fold * 2 * size, fold * 2 * size + size]) {
    for (const row of lines.slice(start, start + Number(perClass))) {
      const [a, b] = row.length === 3 ? [place(row[0], row[1]), place(row[0], row[2])] : [place(row[0], row[1]), place(row[2], row[3])]
      pairs.push({ a, b, same: row.length === 3, fold })
    }
  }
}
const vectors = { face_api: new Map(), facerec: new Map() }
for (const file of new Set(pairs.flatMap(({ a, b }) => [a, b]))) {
  const image = await pixels(file)
  for (const side of Object.keys(sides)) {
    let faces = await sides[side](image)
    if (faces.length === 0 && side === 'face_api') faces = await sides.face_api(image, 0.1) // it misses many at its default
    vectors[side].set(file, faces.sort((a, b) => area(b.box) - area(a.box))[0]?.vector)
  }
}
const distance = (a, b) => Math.hypot(...a.map((value, n) => value - b[n]))
report.lfw = { pairs: pairs.length, per_fold_and_class: Number(perClass) }
for (const side of Object.keys(sides)) {
  const scored = pairs.map(({ a, b, same, fold }) => {
    const [va, vb] = [vectors[side].get(a), vectors[side].get(b)]
    return { same, fold, score: va && vb ? -distance(va, vb) : undefined }
  })
  const right = (rows, threshold) => rows.filter((row) => row.score !== undefined && row.score >= threshold === row.same).length
  const accuracies = Array.from({ length: folds }, (_, fold) => {
    const train = scored.filter((row) => row.fold !== fold)
    const thresholds = train.map((row) => row.score).filter((score) => score !== undefined)
    const best = thresholds.reduce((a, b) => (right(train, b) > right(train, a) ? b : a))
    const test = scored.filter((row) => row.fold === fold)
    return right(test, best) / test.length
  })
  const mean = accuracies.reduce((a, b) => a + b) / folds
  const spread = Math.sqrt(accuracies.reduce((total, one) => total + (one - mean) ** 2, 0) / folds)
  const missing = scored.filter((row) => row.score === undefined).length
  report.lfw[side] = { accuracy: mean, std: spread, no_face: missing, accuracy_without_those: (mean * scored.length) / (scored.length - missing) }
}
console.log(JSON.stringify(report, null, 1))
