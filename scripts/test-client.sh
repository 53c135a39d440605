#!/usr/bin/env bash
# Browser tests of the platform's web client. Needs `make setup`, the built programs, and chromium; without chromium (or nats-server,
# where it is needed) they are skipped aloud, and with CI set they fail. Arguments go to Playwright, as in `scripts/test-client.sh flow --headed`.
#
#   --many, as the first argument: against the platform as many processes over nats-server and PostgreSQL
#                       (scripts/platform-processes.sh). Without further arguments those tests that may depend on that
#
#   BASE_URL, KEY       a platform that is up, with an admin key of it, and without people and videos; its gateway serves the client
#                       that scripts/build-client.sh made. Not given: a platform started here in an empty folder, `facerec-platform all`
#                       or with --many the processes
#   FACEREC_PLATFORM    the program to start (default: target/release/facerec-platform)
#   CHROMIUM            the browser (default: chromium)
#   SCREENS             a folder: `SCREENS=FOLDER scripts/test-client.sh screens` puts pictures of every page, dialog and state there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

many=no
if [ "${1-}" = --many ]; then
  many=yes
  shift
  [ $# -gt 0 ] || set -- flow live settings
fi
skip() {
  echo "test-client: $*" >&2
  [ -z "${CI-}" ] || exit 1
  echo "test-client: SKIPPED" >&2
  exit
}
command -v "${CHROMIUM:-chromium}" >/dev/null || skip "chromium is missing: apt-get install chromium, or set CHROMIUM"
if [ "$many" = yes ] && [ -z "${BASE_URL-}" ] && ! PATH=$PATH:/usr/sbin command -v nats-server >/dev/null; then
  skip "nats-server is missing: scripts/setup.sh --tests, or apt-get install nats-server"
fi
home=$(realpath "${FACEREC_HOME:-.facerec}")
export FACEREC_HOME=$home FACEREC_MODELS=${FACEREC_MODELS:-$home/models} RUST_LOG=${RUST_LOG:-warn}
scripts/build-client.sh
scripts/demo-video.sh

start_all() {
  local program=${FACEREC_PLATFORM:-${CARGO_TARGET_DIR:-target}/release/facerec-platform}
  "$program" all --data "$folder/data" --listen 127.0.0.1:0 >"$folder/all.log" 2>&1 &
  platform=$!
  for _ in $(seq 3000); do
    BASE_URL=$(sed -n 's,^facerec-platform: \(http://.*\)/$,\1,p' "$folder/all.log")
    KEY=$(sed -n 's,^facerec-platform: first API key.*: ,,p' "$folder/all.log")
    [ -n "$BASE_URL" ] && [ -n "$KEY" ] && return
    kill -0 "$platform" 2>/dev/null || { cat "$folder/all.log"; echo "test-client: the platform ended" >&2; exit 1; }
    sleep 0.1
  done
  cat "$folder/all.log"
  echo "test-client: the platform did not say its address and first key within five minutes" >&2
  exit 1
}

end() {
  local status=$?
  [ "$status" = 0 ] || tail -n 20 "$folder"/*.log || true
  if [ "$many" = yes ]; then
    scripts/platform-processes.sh stop "$folder" || status=1
  elif [ -n "${platform-}" ]; then
    kill "$platform" 2>/dev/null || true
    wait "$platform" 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}

if [ -z "${BASE_URL-}" ]; then
  folder=$(mktemp -d)
  trap end EXIT
  if [ "$many" = yes ]; then
    settings=$(scripts/platform-processes.sh start "$folder")
    eval "$settings"
  else
    start_all
  fi
fi

export BASE_URL KEY CHROMIUM=${CHROMIUM:-chromium}
CHROMIUM=$(command -v "$CHROMIUM")
(cd examples/platform/client && npx --no-install playwright test "$@")
