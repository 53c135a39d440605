#!/usr/bin/env bash
# Browser tests of the platform's web client. Needs `make setup`, the built programs, and chromium; without chromium they are skipped,
# unless CI is set. Arguments go to Playwright, as in `scripts/test-client.sh flow --headed`.
#
#   BASE_URL, KEY       a platform that is up, with an admin key of it, and without people and videos; its gateway serves the client
#                       that scripts/build-client.sh made. Not given: `facerec-platform all`, started here in an empty folder
#   FACEREC_PLATFORM    the program to start (default: target/release/facerec-platform)
#   CHROMIUM            the browser (default: chromium)
#   SCREENS             a folder: `SCREENS=FOLDER scripts/test-client.sh screens` puts pictures of every page, dialog and state there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
  echo "test-client: chromium is missing: apt-get install chromium, or set CHROMIUM" >&2
  [ -z "${CI-}" ] || exit 1
  echo "test-client: SKIPPED" >&2
  exit
fi
home=$(realpath "${FACEREC_HOME:-.facerec}")
export FACEREC_HOME=$home FACEREC_MODELS=${FACEREC_MODELS:-$home/models}
scripts/build-client.sh
scripts/demo-video.sh

if [ -z "${BASE_URL-}" ]; then
  folder=$(mktemp -d)
  program=${FACEREC_PLATFORM:-${CARGO_TARGET_DIR:-target}/release/facerec-platform}
  RUST_LOG=${RUST_LOG:-warn} "$program" all --data "$folder/data" --listen 127.0.0.1:0 >"$folder/log" 2>&1 &
  platform=$!
  trap 'kill "$platform" 2>/dev/null; wait "$platform" 2>/dev/null || true; rm -rf "$folder"' EXIT
  for _ in $(seq 600); do
    BASE_URL=$(sed -n 's,^facerec-platform: \(http://.*\)/$,\1,p' "$folder/log")
    KEY=$(sed -n 's,^facerec-platform: first API key.*: ,,p' "$folder/log")
    [ -n "$BASE_URL" ] && [ -n "$KEY" ] && break
    kill -0 "$platform" 2>/dev/null || { cat "$folder/log"; echo "test-client: the platform ended" >&2; exit 1; }
    sleep 0.1
  done
  [ -n "$KEY" ] || { cat "$folder/log"; echo "test-client: the platform did not say its address and first key within a minute" >&2; exit 1; }
fi

export BASE_URL KEY CHROMIUM=${CHROMIUM:-chromium}
CHROMIUM=$(command -v "$CHROMIUM")
cd examples/platform/client
npx --no-install playwright test "$@" || { status=$?; [ -z "${folder-}" ] || tail -n 20 "$folder/log"; exit "$status"; }
