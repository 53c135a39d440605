#!/usr/bin/env bash
# Builds the web client of the platform: examples/platform/client/out, static files which the gateway serves. Needs Node 20 only here,
# not where they are served. A second run with nothing changed does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../examples/platform/client"

export NEXT_TELEMETRY_DISABLED=1

# What the result depends on. `find` rather than git: the client may stand in an unpacked archive.
stamp=$(find . \( -path ./node_modules -o -path ./out -o -path ./.next -o -path ./test-results -o -name next-env.d.ts -o -name out.stamp -o -name '*.tsbuildinfo' \) -prune \
  -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ "${1-}" != --force ] && [ -e out/index.html ] && [ "$(cat out.stamp 2>/dev/null)" = "$stamp" ]; then
  echo "The client is built: $PWD/out"
  exit
fi

npm ci --no-audit --no-fund
npm run lint
npm run typecheck
npm run build
echo "$stamp" >out.stamp
echo "The client is built: $PWD/out"
