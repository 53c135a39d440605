// What the binding costs: the same photo analysed again and again by the Rust command's engine and by Node, taking turns in
// one run. The command's time per photo is the difference between many and few photos in one call, so that loading is left out.
// Processor time beside wall time: on a machine with other work only the former says something.
//
//   node benches/compare/node_overhead.mjs PHOTO [PHOTOS] [ROUNDS]
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { facerec, root } from '../../facerec-node/test/setup.mjs'
import { Engine } from '../../facerec-node/index.mjs'

const photo = process.argv[2] ?? join(root, '.facerec', 'photos', 'strangers', 't1.jpg')
const [photos, rounds] = [Number(process.argv[3] ?? 30), Number(process.argv[4] ?? 7)]
const engine = await Engine.create({ threads: 2, spinning: false }) // as the command does for many photos
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** Wall and processor time of the command, in milliseconds. */
function rust(count) {
  const files = Array(count).fill(`'${photo}'`).join(' ')
  const start = performance.now()
  const script = `TIMEFORMAT='%U %S'; time '${facerec}' --threads 2 --json embed ${files} >/dev/null`
  const { stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  const [user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number)
  return [performance.now() - start, (user + system) * 1000]
}

async function node(count) {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  for (let done = 0; done < count; done++) await engine.embed(photo)
  const { user, system } = process.cpuUsage(cpu)
  return [performance.now() - start, (user + system) / 1000]
}

const times = { rust: [], node: [] }
await node(3)
for (let round = 0; round < rounds; round++) {
  const few = rust(10)
  times.rust.push(rust(photos + 10).map((value, n) => (value - few[n]) / photos))
  await node(10) // the other side has just had the processor's caches: its own first photos are not counted either
  times.node.push((await node(photos)).map((value) => value / photos))
}
const [wall, cpu] = [0, 1].map((kind) => {
  const of = (side) => times[side].map((round) => round[kind])
  const overhead = median(of('node').map((value, n) => value / of('rust')[n])) - 1
  return { rust_ms: median(of('rust')), node_ms: median(of('node')), overhead }
})
console.log(JSON.stringify({ photo, wall, processor: cpu }))
