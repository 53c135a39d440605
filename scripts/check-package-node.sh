#!/usr/bin/env bash
# Installs the tarballs of scripts/package-node.sh into an empty folder and runs the README's lines there: named people in a
# photo and a video, with no library from the system but those of glibc and C++.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
home=$(cd "${FACEREC_HOME:-.facerec}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check-package-node: $*" >&2; exit 1; }

cd "$work"
npm install --silent --no-package-lock "$home"/npm/*.tgz
cp "$home/photos/people/obama.jpg" ana.jpg
cp "$home/photos/people/obama2.jpg" party.jpg
cp "$home/photos/people/obama.jpg" a.jpg
cp "$home/photos/people/biden.jpg" b.jpg
cp "$home/photos/strangers/t1.jpg" group.jpg
(cd "$root" && node --input-type=module -e "import { clip } from './facerec-node/test/setup.mjs'; clip()")
cp "$home/node-test.mp4" party.mp4

awk '/^```js$/ {number++; inside = 1; next} /^```$/ {inside = 0} inside {print > ("readme" number ".mjs")}' node_modules/@facerec/node/README.md
clean() { env -i PATH="$PATH" HOME="$work" "$@"; }
clean node readme1.mjs | grep 0.9 >/dev/null || fail "no faces in group.jpg"
clean node readme2.mjs | grep 'same: false' >/dev/null || fail "Obama is not Biden"
clean node readme3.mjs | grep Ana >/dev/null || fail "Ana is not in party.jpg"
clean node readme4.mjs | grep Ana >/dev/null || fail "Ana is not in party.mp4"
[ "$(clean npx --no-install facerec --json detect ana.jpg | grep -c '"score"')" = 1 ] || fail "the command does not run"

# Evaluated again, with its binary and without; a video each time, and one handler for the end of the process.
cat >again.cjs <<'JS'
(async () => {
  for (let round = 0; round < 3; round++) {
    for (const key of Object.keys(require.cache)) if (round !== 1 || !key.endsWith('.node')) delete require.cache[key]
    const { Engine } = require('@facerec/node')
    const engine = await Engine.create()
    for await (const _ of engine.video('party.mp4'));
  }
  if (process.listeners('exit').length !== 1) throw new Error(`${process.listeners('exit').length} handlers of the end`)
  console.log('every time')
})()
JS
clean node again.cjs | grep 'every time' >/dev/null || fail "the package cannot be evaluated again"

# The README's lines about bundles, in a folder without node_modules.
mkdir bundle
cp readme1.mjs app.mjs
"$home/node/node_modules/.bin/esbuild" app.mjs --bundle --platform=node --format=esm --outfile=bundle/app.mjs --log-level=error \
  --banner:js="import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
cp -r node_modules/@facerec/node-linux-x64-gnu bundle/facerec
cp -r node_modules/@facerec/node/models bundle/facerec/models
away=$(mktemp -d)
trap 'rm -rf "$work" "$away"' EXIT
mv bundle "$away/"
(cd "$away" && cp "$work/group.jpg" . && clean node bundle/app.mjs) | grep 0.9 >/dev/null || fail "the bundle finds no faces"
mv "$away/bundle/facerec" "$away/elsewhere"
(cd "$away" && clean FACEREC_NODE_BINARY="$away/elsewhere" node bundle/app.mjs) | grep 0.9 >/dev/null || fail "FACEREC_NODE_BINARY is not heard"

cat >maps.mjs <<'JS'
import { readFileSync } from 'node:fs'
import { Engine } from '@facerec/node'
const engine = await Engine.create()
for await (const _ of engine.video('party.mp4'));
const files = readFileSync('/proc/self/maps', 'utf8').split('\n').map((line) => line.split(/\s+/)[5] ?? '').filter((file) => file.includes('.so'))
const own = /\/(libc|libm|libdl|libpthread|librt|ld-linux-x86-64|libstdc\+\+|libgcc_s|libnode|lib(ssl|crypto|uv|icu\w+|nghttp\w+|cares|z|brotli\w+))\.so/
console.log(JSON.stringify([...new Set(files)].filter((file) => !file.includes('/@facerec/') && !own.test(file))))
JS
[ "$(clean node maps.mjs)" = "[]" ] || fail "libraries of the system are in use: $(clean node maps.mjs)"
echo "check-package-node: an empty folder, $(du -shL node_modules | cut -f1), named people, no system library"
