#!/usr/bin/env bash
# Browser tests of the platform's web client. With BASE_URL and KEY (an admin key) against a platform that is up and has no people and
# videos yet; without them against `facerec-platform all`, started here in an empty folder. Needs `make setup`, the built program and
# client, and chromium (apt-get install chromium). Further arguments go to Playwright.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$(realpath "${FACEREC_HOME:-.facerec}")
export FACEREC_HOME=$home FACEREC_MODELS=${FACEREC_MODELS:-$home/models}
command -v "${CHROMIUM:-chromium}" >/dev/null || { echo "test-client: chromium is missing: apt-get install chromium, or set CHROMIUM"; exit 1; }
scripts/build-client.sh

if [ -z "${BASE_URL-}" ]; then
  folder=$(mktemp -d)
  "${FACEREC_PLATFORM:-target/release/facerec-platform}" all --data "$folder/data" --listen 127.0.0.1:0 >"$folder/log" 2>&1 &
  platform=$!
  trap 'kill "$platform" 2>/dev/null; wait "$platform" 2>/dev/null; rm -rf "$folder"' EXIT
  for _ in $(seq 300); do
    BASE_URL=$(sed -n 's,^facerec-platform: \(http://.*\)/$,\1,p' "$folder/log")
    KEY=$(sed -n 's,^facerec-platform: first API key.*: ,,p' "$folder/log")
    [ -n "$BASE_URL" ] && [ -n "$KEY" ] && break
    kill -0 "$platform" 2>/dev/null || { cat "$folder/log"; echo "test-client: the platform ended"; exit 1; }
    sleep 0.1
  done
  [ -n "$KEY" ] || { cat "$folder/log"; echo "test-client: the platform did not say its address and first key within 30 s"; exit 1; }
fi

export BASE_URL KEY
cd examples/platform/client
npx playwright test "$@"
