// What the binding costs: the same photo analysed again and again by the Rust command's engine and by Node, taking turns in
// one run. The command's time per photo is the difference between many and few photos in one call, so that loading is left out.
//
//   node benches/compare/node_overhead.mjs PHOTO [PHOTOS] [ROUNDS]
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { facerec, root } from '../../facerec-node/test/setup.mjs'
import { Engine } from '../../facerec-node/index.mjs'

const photo = process.argv[2] ?? join(root, '.facerec', 'photos', 'strangers', 't1.jpg')
const [photos, rounds] = [Number(process.argv[3] ?? 30), Number(process.argv[4] ?? 7)]
const engine = await Engine.create({ threads: 2, spinning: false }) // as the command does for many photos
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

function rust(count) {
  const start = performance.now()
  execFileSync(facerec, ['--threads', '2', '--json', 'embed', ...Array(count).fill(photo)], { maxBuffer: 1 << 30 })
  return performance.now() - start
}

async function node(count) {
  const start = performance.now()
  for (let done = 0; done < count; done++) await engine.embed(photo)
  return performance.now() - start
}

const times = { rust: [], node: [] }
await node(3)
for (let round = 0; round < rounds; round++) {
  times.rust.push((rust(photos + 3) - rust(3)) / photos)
  times.node.push((await node(photos)) / photos)
}
const ratios = times.node.map((value, n) => value / times.rust[n])
console.log(JSON.stringify({ photo, rust_ms: median(times.rust), node_ms: median(times.node), overhead: median(ratios) - 1 }))
