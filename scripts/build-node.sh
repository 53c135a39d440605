#!/usr/bin/env bash
# Builds the Node addon with plain cargo, so that it shares everything that is built already (`napi build` would build it
# all again in a folder of its own), and the types from its sources.
#
#   scripts/build-node.sh [--test-panic]
#
# Makes facerec-node/facerec.<platform>.node and facerec-node/index.d.ts; with --test-panic only facerec-node/test/panic.node,
# which has functions that panic on purpose.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

target=${CARGO_TARGET_DIR:-$root/target}
home=${FACEREC_HOME:-$root/.facerec}
package=$root/facerec-node
features=facerec-core/cli,facerec-core/cuda,facerec-core/tensorrt,facerec-core/openvino,facerec-core/postgres
case $(uname -s) in
  Linux) platform=linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')-gnu library=libfacerec_node.so ;;
  Darwin) platform=darwin-$(uname -m | sed 's/x86_64/x64/') library=libfacerec_node.dylib ;;
  *) platform=win32-x64-msvc library=facerec_node.dll ;;
esac

# What building and testing need besides. No install scripts: onnxruntime-node's would fetch CUDA's libraries.
if ! cmp -s "$package/test/tools.json" "$home/node/package.json"; then
  mkdir -p "$home/node"
  node -p "Object.entries(require('$package/test/tools.json').dependencies).map(([name, version]) => name + '@' + version).join(' ')" |
    xargs npm install --prefix "$home/node" --silent --no-package-lock --ignore-scripts
  cp "$package/test/tools.json" "$home/node/package.json"
fi

if [ "${1:-}" = --test-panic ]; then
  cargo build --release -p facerec-node --features "$features,facerec-node/test-panic"
  cp "$target/release/$library" "$package/test/panic.node"
  exit
fi

# `#[napi]` writes the types down while it is compiled, which has to happen then.
types=$target/napi-types
rm -rf "$types"
mkdir -p "$types"
touch "$package/src/lib.rs"
NAPI_TYPE_DEF_TMP_FOLDER=$types cargo build --release -p facerec-core -p facerec-node --features "$features"
cp "$target/release/$library" "$package/facerec.$platform.node.new"
mv -f "$package/facerec.$platform.node.new" "$package/facerec.$platform.node" # a process may have the old one open
FACEREC_TYPES=$types node --input-type=module - <<JS
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
const { generateTypeDef } = await import(createRequire('$home/node/').resolve('@napi-rs/cli'))
const { dts } = await generateTypeDef({ typeDefDir: process.env.FACEREC_TYPES, cwd: '$package', dtsHeaderFile: 'js/types.d.ts' })
writeFileSync('$package/index.d.ts', dts)
JS
