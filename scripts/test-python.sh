#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh environment and tests it there, as somebody without this checkout has it.
#
#   scripts/test-python.sh [PYTEST ARGUMENT...]    after scripts/setup.sh
#
#   FACEREC_HOME       tools, models, photos (default: .facerec in the repository)
#   FACEREC_PYTHONS    further Pythons to run the shorter tests with, separated by spaces (default: none)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
home=${FACEREC_HOME:-.facerec}
home=$(cd "$home" && pwd)
export FACEREC_HOME=$home CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
wheel=$(scripts/wheel.sh)
say() { echo "python: $*"; }
say "$(basename "$wheel"), $(($(stat -c %s "$wheel") / 1000000)) MB"

# A new environment each time: what was there before must not help. pip's cache makes it quick.
environment() {
  local python=$1 folder=$2
  shift 2
  "$python" -m venv --clear "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel" "$@"
}

# Away from the checkout, without its settings: only the wheel and what it depends on.
tests() {
  local folder=$1
  shift
  (cd "$away" && env -u FACEREC_MODELS -u FACEREC_ORT -u LD_LIBRARY_PATH PYTHONDONTWRITEBYTECODE=1 \
    "$folder/bin/python" -m pytest -p no:cacheprovider -rs "$@")
}
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT

environment "$home/venv/bin/python" "$home/venv-wheel" --requirement facerec-py/tests/requirements.txt
if [ ! -x "$home/pyright/node_modules/.bin/pyright" ]; then
  npm install --silent --no-audit --no-fund --prefix "$home/pyright" pyright@1.1.406 >/dev/null
fi
FACEREC_PYRIGHT=$home/pyright/node_modules/.bin/pyright tests "$home/venv-wheel" "$root/facerec-py/tests" "$@"

# Once more with the oldest NumPy that is supported, and with other Pythons.
short=("$root"/facerec-py/tests/test_{inputs,results,gallery}.py)
environment "$home/venv/bin/python" "$home/venv-old" "numpy==1.26.4" pillow pytest
say "numpy 1.26.4"
tests "$home/venv-old" "${short[@]}"
for python in ${FACEREC_PYTHONS:-}; do
  environment "$python" "$home/venv-other" pillow pytest
  say "$("$python" --version)"
  tests "$home/venv-other" "${short[@]}"
done
