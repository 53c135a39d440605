#!/usr/bin/env bash
# Builds the Node addon and runs its tests and examples. FACEREC_LEAK_CALLS=200000 makes the leak test a long one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/build-node.sh --test-panic
scripts/build-node.sh
if ! git diff --quiet -- facerec-node/index.d.ts; then
  echo "test-node: facerec-node/index.d.ts is not what its sources give; commit the new one" >&2
  git --no-pager diff --stat -- facerec-node/index.d.ts >&2
  exit 1
fi
# One file after the other: some measure time.
node --test --test-concurrency=1 facerec-node/test/*.test.mjs

# The examples, as a reader would run them.
home=$(cd "${FACEREC_HOME:-.facerec}" && pwd)
photos=$home/photos
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { echo "test-node: examples/node/$1.mjs"; node "examples/node/$1.mjs" "${@:2}" | tee "$work/out"; }
says() { grep -q "$1" "$work/out" || { echo "test-node: expected the example to say \`$1\`" >&2; exit 1; }; }
run detect "$photos/people/obama.jpg"
run compare "$photos/people/obama.jpg" "$photos/people/obama2.jpg"
says 'same: true'
run enroll_identify "$work/gallery" Obama "$photos/people/obama.jpg" "$photos/people/obama2.jpg"
says Obama
run video "$work/gallery" "$home/node-test.mp4"
says Obama
node examples/node/upload.mjs "$work/gallery" 0 >"$work/server" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do grep -q http "$work/server" && break; sleep 0.1; done
echo "test-node: examples/node/upload.mjs"
node --input-type=module - "$(grep -o 'http[^ ]*' "$work/server")" "$photos/people/obama3.jpg" <<'JS' | tee "$work/out"
import { readFileSync } from 'node:fs'
const [address, photo] = process.argv.slice(2)
console.log(await (await fetch(address, { method: 'POST', body: readFileSync(photo) })).text())
JS
says Obama
