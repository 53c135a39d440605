#!/usr/bin/env bash
# Builds the web client of the platform: examples/platform/client/out, static files which the gateway serves. Needs Node 20 only here,
# not where they are served. A second run with nothing changed does nothing.
#
#   scripts/build-client.sh [--packages | --lint]
#
#   --packages   only get the npm packages that building, linting and testing it need
#   --lint       only check its format, its code and its types, tests too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../examples/platform/client"

export NEXT_TELEMETRY_DISABLED=1

if ! cmp -s package-lock.json node_modules/installed.json; then
  npm ci --no-audit --no-fund
  cp package-lock.json node_modules/installed.json
fi
case ${1-} in
  --packages) exit ;;
  --lint)
    npm run --silent lint
    npm run --silent typecheck
    exit
    ;;
esac

# What the result depends on. `find` rather than git: the client may stand in an unpacked archive.
stamp=$(find . \( -path ./node_modules -o -path ./out -o -path ./.next -o -path ./tests -o -path ./test-results -o -name next-env.d.ts \
  -o -name out.stamp -o -name '*.tsbuildinfo' -o -name README.md \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ ! -e out/index.html ] || [ "$(cat out.stamp 2>/dev/null)" != "$stamp" ]; then
  npm run --silent build
  echo "$stamp" >out.stamp
fi
echo "The client is built: $PWD/out"
