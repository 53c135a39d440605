#!/usr/bin/env bash
# Benchmarks. They live in benches/; without it there is nothing to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -x benches/compare/run.sh ]; then
  exec benches/compare/run.sh "$@"
fi
echo "bench: benches/compare/run.sh is not there" >&2
exit 1
