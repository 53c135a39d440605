// The types: complete, true, and generated from the sources as they are.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './setup.mjs'

const types = readFileSync(join(root, 'facerec-node', 'index.d.ts'), 'utf8')

test('tsc --strict compiles the type tests', (context) => {
  const tsc = join(process.env.FACEREC_HOME ?? join(root, '.facerec'), 'node', 'node_modules', 'typescript', 'bin', 'tsc')
  if (!existsSync(tsc)) return context.skip('no TypeScript: scripts/build-node.sh installs it')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(root, 'facerec-node', 'test', 'types')], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})

test('no `any`, no `unknown`, and a comment on every item', () => {
  const code = types.replace(/\/\*\*[\s\S]*?\*\//g, '').replace(/'[^']*'/g, '')
  assert.deepEqual(code.match(/\b(any|unknown)\b/g), null)
  const lines = types.split('\n')
  const bare = lines.filter((line, n) => {
    const item = /^ {2}(get )?\[?[a-zA-Z.]+\]?\??[(:]/.test(line) || /^export (declare |interface |type |function )/.test(line) || /^ {2}export function/.test(line)
    return item && !lines[n - 1].trim().endsWith('*/') && !/extends CallOptions {}|AsyncDisposable|namespace/.test(line)
  })
  assert.deepEqual(bare, [])
})

test('the codes are those of the core', () => {
  const source = readFileSync(join(root, 'facerec-core', 'src', 'error.rs'), 'utf8')
  const codes = [...source.matchAll(/Self::\w+ => "(\w+)"/g)].map(([, code]) => `ERR_FACEREC_${code.toUpperCase()}`)
  assert.ok(codes.length > 20)
  const union = types.slice(types.indexOf('export type ErrorCode'), types.indexOf('export interface FacerecError'))
  assert.deepEqual([...union.matchAll(/'(ERR_\w+)'/g)].map(([, code]) => code).sort(), codes.sort())
})
