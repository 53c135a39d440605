#!/usr/bin/env bash
# @facerec/node beside @vladmandic/face-api; writes benches/results/face_api.json.
#
#   benches/compare/face_api/run.sh [PAIRS_PER_FOLD_AND_CLASS]    LFW pairs, default 20: 200 of the 3,000
#
# Photos of `shared` (FACEREC_SHARED) are needed. No install scripts: sharp and TensorFlow.js bring their binaries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
shared=${FACEREC_SHARED:-../shared}
tools=${FACEREC_HOME:-.facerec}/face_api
[ -d "$shared/data" ] || { echo "face_api: \`$shared\` has no photos; set FACEREC_SHARED" >&2; exit 1; }
[ -d "$tools/node_modules/sharp" ] || npm install --prefix "$tools" --silent --no-package-lock --ignore-scripts \
  @vladmandic/face-api@1.7.15 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 sharp@0.34.5
scripts/build-node.sh
node benches/compare/face_api/bench.mjs "$(cd "$tools" && pwd)" "$(cd "$shared" && pwd)" "${1:-20}" | tee benches/results/face_api.json
