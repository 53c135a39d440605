#!/usr/bin/env bash
# Builds the Python wheel: for CPython 3.10 and later, with the default models, an LGPL FFmpeg, OpenBLAS and OpenMP inside.
#
#   scripts/wheel.sh    after scripts/setup.sh; prints the wheel's path last
#
#   FACEREC_HOME        where tools and models are and the wheel goes (default: .facerec in the repository)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=${FACEREC_HOME:-.facerec}
home=$(cd "$home" && pwd)
package=facerec-py
fail() { echo "wheel: $*" >&2; exit 1; }

scripts/ffmpeg.sh >&2

rm -rf "$package/python/facerec/models" "$package/licences" "$home/wheels"
mkdir -p "$package/python/facerec/models" "$package/licences" "$home/wheels"
for model in $(sed -n 's/^file = "\(.*\)"/\1/p' models/default.toml); do
  cp "$home/models/$model" "$package/python/facerec/models/" || fail "run scripts/setup.sh first"
done

# The licences of what is inside ask for their texts to be passed on.
cp "$home"/ffmpeg/licences/* "$package/licences/"
for library in libopenblas0-pthread libgomp1 libgfortran5 libquadmath0 libstdc++6; do
  copyright=/usr/share/doc/$library/copyright
  [ -e "$copyright" ] && cp "$copyright" "$package/licences/$library.txt"
done
"$home/venv/bin/python" scripts/licences.py "$package/Cargo.toml" models/default.toml "$package/licences"

"$home/venv/bin/maturin" build --release --strip --auditwheel skip --quiet --manifest-path "$package/Cargo.toml" \
  --interpreter "$home/venv/bin/python" --out "$home/wheels/raw" >&2

# Linked against Debian's FFmpeg, shipped with ours: the same source, the same binary interface.
PATH=$home/venv/bin:$PATH LD_LIBRARY_PATH=$home/ffmpeg/lib "$home/venv/bin/auditwheel" repair --wheel-dir "$home/wheels" \
  "$home"/wheels/raw/facerec-*.whl >"$home/wheels/log" 2>&1 || { cat "$home/wheels/log" >&2; fail "auditwheel failed"; }
wheel=$(ls "$home"/wheels/facerec-*.whl)
if "$home/venv/bin/python" -m zipfile --list "$wheel" | grep -qE 'libx26|libpostproc|librubberband'; then
  fail "$wheel holds parts of a GPL build of FFmpeg"
fi
echo "$wheel"
