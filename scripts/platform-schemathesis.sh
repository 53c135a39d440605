#!/usr/bin/env bash
# Schemathesis against the OpenAPI description that a running platform serves: nothing that it makes up may bring out a server error.
# Starts `facerec-platform all` in an empty folder; needs `make setup` and the built program. Further arguments go to schemathesis.
#
#   scripts/platform-schemathesis.sh [--max-examples 50]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$(realpath "${FACEREC_HOME:-.facerec}")
export FACEREC_MODELS=${FACEREC_MODELS:-$home/models}
tools=$home/schemathesis version=4.32.5
if [ "$(cat "$tools/version" 2>/dev/null)" != "$version" ]; then
  "${FACEREC_PYTHON:-python3}" -m venv --clear "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version"
  echo "$version" >"$tools/version"
fi

folder=$(mktemp -d)
trap 'kill "$platform" 2>/dev/null; wait "$platform" 2>/dev/null; rm -rf "$folder"' EXIT
# What is made up must not be stopped by the limit on requests, and a body that never comes not hold it up for long.
printf 'listen = "127.0.0.1:0"\n[limits]\nrequests_per_second = 100000.0\nburst = 100000.0\npatience_s = 5\n' >"$folder/config.toml"
RUST_LOG=warn "${FACEREC_PLATFORM:-target/release/facerec-platform}" all --config "$folder/config.toml" --data "$folder/data" >"$folder/said" 2>"$folder/log" &
platform=$!
for _ in $(seq 300); do
  url=$(sed -n 's,^facerec-platform: \(http://.*\)/$,\1,p' "$folder/said")
  key=$(sed -n 's,^facerec-platform: first API key.*: ,,p' "$folder/said")
  [ -n "$url" ] && [ -n "$key" ] && break
  kill -0 "$platform" 2>/dev/null || { cat "$folder/log" >&2; echo "platform-schemathesis: the platform ended" >&2; exit 1; }
  sleep 0.1
done
[ -n "$key" ] || { cat "$folder/log" >&2; echo "platform-schemathesis: the platform did not say its address and key within 30 s" >&2; exit 1; }

"$tools/bin/schemathesis" run "$url/openapi.json" --header "Authorization: Bearer $key" --checks not_a_server_error \
  --request-timeout 20 --max-examples 30 --seed 1 "$@" || { tail -n 30 "$folder/log" >&2; exit 1; }
kill -0 "$platform" || { echo "platform-schemathesis: the platform ended" >&2; exit 1; }
