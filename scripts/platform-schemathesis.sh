#!/usr/bin/env bash
# Schemathesis against the OpenAPI description that a running platform serves: nothing that it makes up may bring out a server error,
# and every answer must be one that is described. Starts `facerec-platform all` in an empty folder; needs `make setup` and the built
# program. Further arguments go to schemathesis.
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

# Something is there to be asked for: a person with a photo, and a video with a result.
scripts/demo-video.sh
ask() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $key" "$@"; }
# field NAME: that field of the JSON object on standard input.
field() { "${FACEREC_PYTHON:-python3}" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]] or "")' "$1"; }
settled() {
  for _ in $(seq 600); do
    case $(ask "$url$1" | field state) in done | accepted) return ;; failed | rejected) break ;; esac
    sleep 0.2
  done
  echo "platform-schemathesis: $1 did not become what it should" >&2
  exit 1
}
photo=$(ask --header 'content-type: image/jpeg' --data-binary "@$home/photos/people/obama.jpg" "$url/v1/enrolments?person=Obama" | field id)
settled "/v1/enrolments/$photo"
person=$(ask "$url/v1/enrolments/$photo" | field person_id)
bytes=$(stat --format %s "$home/demo.mp4")
upload=$(ask --json "{\"file_name\": \"demo.mp4\", \"bytes\": $bytes}" "$url/v1/uploads" | field id)
ask --request PATCH --header 'upload-offset: 0' --data-binary "@$home/demo.mp4" "$url/v1/uploads/$upload" >/dev/null
session=$(ask --json "{\"upload_id\": \"$upload\"}" "$url/v1/sessions" | field id)
settled "/v1/sessions/$session"
hook=$(ask --json '{"url": "http://127.0.0.1:9/", "secret": "0123456789abcdef", "events": ["*"]}' "$url/v1/webhooks" | field id)

config() {
  cat <<EOF
[[operations]]
include-path-regex = "^/v1/persons/"
parameters = { "path.id" = "$person" }
[[operations]]
include-path-regex = "^/v1/enrolments/"
parameters = { "path.id" = "$photo" }
[[operations]]
include-path-regex = "^/v1/uploads/"
parameters = { "path.id" = "$upload" }
[[operations]]
include-path-regex = "^/v1/sessions/"
parameters = { "path.id" = "$session", "path.track" = 1, "path.n" = 0 }
[[operations]]
include-path-regex = "^/v1/webhooks/"
parameters = { "path.id" = "$hook" }
EOF
}
run() {
  "$tools/bin/schemathesis" --config-file "$1" run "$url/openapi.json" --header "Authorization: Bearer $key" \
    --checks "$checks" --request-timeout 20 --max-examples 30 --seed 1 "${@:2}" || { tail -n 30 "$folder/log" >&2; exit 1; }
}
# Requests that remove what there is come last, or the others would find nothing.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
config >"$folder/real.toml"
: >"$folder/made-up.toml"
run "$folder/real.toml" --exclude-method DELETE "$@"
run "$folder/made-up.toml" "$@"
run "$folder/real.toml" --include-method DELETE "$@"
kill -0 "$platform" || { echo "platform-schemathesis: the platform ended" >&2; exit 1; }
