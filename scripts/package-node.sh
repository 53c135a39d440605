#!/usr/bin/env bash
# Makes the npm packages of this platform: @facerec/node with the default models, and the one with its binary, which carries
# an LGPL FFmpeg, OpenBLAS, OpenMP and ONNX Runtime, so that installing needs no compiler, no script and no system package.
#
#   scripts/package-node.sh    after scripts/setup.sh; prints the tarballs' paths last
#
#   FACEREC_HOME               where tools and models are and the tarballs go, as `npm` (default: .facerec in the repository)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
home=$(cd "${FACEREC_HOME:-.facerec}" && pwd)
package=facerec-node
out=$home/npm
fail() { echo "package-node: $*" >&2; exit 1; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "this script knows linux-x64-gnu; see .github/workflows/node-release.yml for the others"
platform=linux-x64-gnu
scripts/ffmpeg.sh >&2
scripts/build-node.sh >&2
command -v patchelf >/dev/null || fail "patchelf is missing: scripts/ffmpeg.sh installs it"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
binary=$stage/binary main=$stage/main
mkdir -p "$binary/lib" "$binary/LICENSES" "$main/models" "$out"
rm -f "$out"/*.tgz

# The binary: without debug lines, looking for its libraries beside itself.
cp "$package/npm/$platform/package.json" "$binary/"
strip --strip-unneeded -o "$binary/facerec.$platform.node" "$package/facerec.$platform.node"
# shellcheck disable=SC2016 # $ORIGIN is the loader's
patchelf --force-rpath --set-rpath '$ORIGIN/lib' "$binary/facerec.$platform.node"

# Everything it links but glibc, and the C++ runtime, which Node itself needs. Linked against Debian's FFmpeg, shipped with
# ours: the same source, the same binary interface.
LD_LIBRARY_PATH=$home/ffmpeg/lib ldd "$package/facerec.$platform.node" | awk '$3 ~ /^\// {print $1, $3}' |
  grep -vE '^(libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s)\.so' >"$stage/libraries"
while read -r name path; do
  cp -L "$path" "$binary/lib/$name"
  strip --strip-unneeded "$binary/lib/$name"
  # shellcheck disable=SC2016
  patchelf --force-rpath --set-rpath '$ORIGIN' "$binary/lib/$name"
  # Debian lists files of /lib as such, though it is a link to /usr/lib.
  file=$(readlink -f "$path")
  owner=$(dpkg-query -S "$file" "${file#/usr}" 2>/dev/null | cut -d: -f1 | head -n 1 || true)
  [ -z "$owner" ] || cp "/usr/share/doc/$owner/copyright" "$binary/LICENSES/$owner.txt"
done <"$stage/libraries"
gpl=$(find "$binary/lib" -name 'libx26*' -o -name 'libpostproc*' -o -name 'librubberband*')
[ -z "$gpl" ] || fail "these are parts of a GPL build of FFmpeg: $gpl"

# ONNX Runtime out of the npm package, whose own install script would fetch 200 MB of CUDA.
ort=$home/node/node_modules/onnxruntime-node
cp "$ort/bin/napi-v6/linux/x64/libonnxruntime.so.1" "$binary/lib/"
cp "$home"/ffmpeg/licences/* "$binary/LICENSES/"
{
  echo "ONNX Runtime $(node -p "require('$ort/package.json').version"), from the npm package onnxruntime-node, under the MIT licence."
  cat "$(find "$home/venv/lib" -path '*onnxruntime/LICENSE' | head -n 1)" "$(find "$home/venv/lib" -path '*onnxruntime/ThirdPartyNotices.txt' | head -n 1)"
} >"$binary/LICENSES/onnxruntime.txt"
"$home/venv/bin/python" scripts/licences.py "$package/Cargo.toml" models/default.toml "$binary/LICENSES"

# The package that users name.
cp -r "$package"/{package.json,README.md,index.js,index.mjs,index.d.ts,index.d.mts,js,bin} LICENSE-MIT LICENSE-APACHE "$main/"
mv "$binary/LICENSES/models.txt" "$main/models/LICENSES.txt"
for model in $(sed -n 's/^file = "\(.*\)"/\1/p' models/default.toml); do
  cp "$home/models/$model" "$main/models/" || fail "run scripts/setup.sh first"
done

for folder in "$binary" "$main"; do
  (cd "$folder" && npm pack --silent --pack-destination "$out") | sed "s|^|$out/|"
done
