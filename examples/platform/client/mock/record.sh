#!/usr/bin/env bash
# Records what the engine says about the demo video, for the mock gateway. Needs `make demo` to have run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."

home=${FACEREC_HOME:-.facerec}
export FACEREC_MODELS=${FACEREC_MODELS:-$home/models}
rm -rf "$home/mock"
mkdir -p "$home/mock"
"${FACEREC:-target/release/facerec}" --json video --gallery "$home/demo-gallery" "$home/demo.mp4" --boxes \
  --thumbs "$home/mock/shots" >"$home/mock/tracks.jsonl"
echo "Recorded into $home/mock"
