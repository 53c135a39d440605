// What the tests share: photos, a clip, one engine.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after } from 'node:test'
import { Engine } from '../index.mjs'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const home = process.env.FACEREC_HOME ?? join(root, '.facerec')
process.env.FACEREC_MODELS ??= join(home, 'models')
export const photos = join(home, 'photos')
export const obama = join(photos, 'people', 'obama.jpg')
export const obama2 = join(photos, 'people', 'obama2.jpg')
export const biden = join(photos, 'people', 'biden.jpg')
export const six = join(photos, 'strangers', 't1.jpg')
export const facerec = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'release', 'facerec')

/** Photos and weights that are not part of the repository; undefined, said aloud, without them. */
export function shared() {
  const folder = process.env.FACEREC_SHARED ?? join(root, '..', 'shared')
  if (existsSync(join(folder, 'data'))) return folder
  console.error(`SKIPPED: \`${folder}\` has no photos and videos; set FACEREC_SHARED to run this test on them`)
  return undefined
}

let engine
/** One engine for all tests of a file. */
export const sharedEngine = () => (engine ??= Engine.create())

/** A new empty folder, removed when the file's tests are over. */
export function folder(name = 'facerec-') {
  const path = mkdtempSync(join(tmpdir(), name))
  after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The address of a database of the file's own; undefined, said aloud, where there is no PostgreSQL. */
export async function server() {
  const program = spawn(join(root, 'scripts', 'postgres-server.sh'), { stdio: ['pipe', 'pipe', 'inherit'] })
  after(async () => {
    if (program.exitCode !== null) return
    program.stdin.end() // which ends it
    await new Promise((resolve) => program.once('exit', resolve))
  })
  const [address, code] = await Promise.race([
    new Promise((resolve) => program.stdout.once('data', (text) => resolve([text.toString().trim()]))),
    new Promise((resolve) => program.once('exit', (code) => resolve([undefined, code]))),
  ])
  if (address !== undefined) return address
  if (code !== 3 || process.env.CI) throw new Error(`the server does not start (${code}), see its words above; scripts/setup.sh --tests installs it`)
  console.error('SKIPPED: no PostgreSQL; scripts/postgres.sh gets it')
  return undefined
}

/** A clip of five seconds: Obama, six strangers, Biden. Made once. */
export function clip() {
  const path = join(home, 'node-test.mp4')
  if (existsSync(path)) return path
  const shots = [obama, six, biden]
  const scene = (number) =>
    `[${number}:v]scale=960:540:force_original_aspect_ratio=decrease,pad=960:540:-1:-1,` +
    `zoompan=z='1+0.001*on':d=42:s=640x360:fps=25,setsar=1,format=yuv420p[v${number}]`
  const filter = `${shots.map((_, number) => scene(number)).join(';')};[v0][v1][v2]concat=n=3:v=1[v]`
  const inputs = shots.flatMap((photo) => ['-i', photo])
  execFileSync('ffmpeg', ['-y', '-v', 'error', ...inputs, '-filter_complex', filter, '-map', '[v]', '-c:v', 'libx264', path])
  return path
}

/** The error that a promise rejects with, or that a function throws. */
export async function failure(work) {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    return error
  }
  throw new Error('expected a rejection, got a result')
}
