#!/usr/bin/env bash
# Formatting, clippy on all targets and on each feature alone, documentation, licences. Warnings are errors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { echo; echo "== $*"; "$@"; }
skip() { echo; echo "== skipped: $*"; }

step cargo fmt --all -- --check
features=facerec-core/cli,facerec-core/cuda,facerec-core/tensorrt,facerec-core/openvino,facerec-core/postgres
step cargo clippy --release --workspace --all-targets --features "$features" -- -D warnings

# Each feature alone, in the same profile, so that nothing is built twice. The inference devices only forward to `ort`,
# and need a way to the library: `load-dynamic`.
step cargo clippy --release -p facerec-core --no-default-features -- -D warnings
for feature in load-dynamic faiss video heif fetch postgres charts cli serde; do
  step cargo clippy --release -p facerec-core --no-default-features --features "$feature" -- -D warnings
done
for device in cuda tensorrt coreml directml openvino; do
  step cargo clippy --release -p facerec-core --no-default-features --features "load-dynamic,$device" -- -D warnings
done
skip "feature download-binaries: its build fetches ONNX Runtime from the open internet"

RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --lib --no-deps --features "$features"

if command -v cargo-deny >/dev/null; then
  step cargo deny --offline check licenses bans sources
else
  skip "licences of dependencies: cargo-deny is not installed (cargo install cargo-deny)"
fi

step scripts/build-client.sh --lint # Biome and tsc on the platform's web client

if command -v shellcheck >/dev/null; then
  step shellcheck scripts/*.sh .ci/run
fi
echo
echo "lint: clean"
