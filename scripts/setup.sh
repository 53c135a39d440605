#!/usr/bin/env bash
# Gets everything that building, testing and the demo need, into .facerec/ and, for compilers and libraries, from Debian.
# A second run finds it all there and takes a second.
#
#   scripts/setup.sh [--no-system] [--tests]
#
#   --no-system      do not install system packages
#   --tests          also get what some tests need and otherwise skip aloud: ONNX Runtime with OpenVINO (60 MB),
#                    the models of version 0.1 (2 MB), an emulator of older processors (qemu-user), libjpeg-turbo's tools,
#                    PostgreSQL with pgvector (25 MB), nats-server, a browser (chromium) with the npm packages of the
#                    platform's web client, and fonts of many scripts (4 MB)
#
#   FACEREC_HOME     where to put it (default: .facerec in the repository)
#   FACEREC_PYTHON   the Python to use, 3.11 or later (default: python3)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${FACEREC_HOME:-$root/.facerec}
python=${FACEREC_PYTHON:-python3}
system=yes
tests=no

for argument in "$@"; do
  case $argument in
    --no-system) system=no ;;
    --tests) tests=yes ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup: unknown option \`$argument\`" >&2; exit 2 ;;
  esac
done

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

system_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: install cmake, clang with libclang, nasm, OpenBLAS, pkg-config, FFmpeg and its libraries yourself"
    return
  fi
  local wanted=(build-essential cmake clang libclang-dev nasm libopenblas-dev pkg-config
    libavcodec-dev libavdevice-dev libavfilter-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev ffmpeg)
  command -v "$python" >/dev/null && "$python" -c 'import ensurepip' 2>/dev/null || wanted+=(python3 python3-venv)
  command -v npm >/dev/null || wanted+=(npm)
  [ "$tests" = yes ] && wanted+=(chromium fonts-droid-fallback fonts-freefont-ttf libjpeg-turbo-progs nats-server pgbouncer qemu-user)
  local missing=() package
  for package in "${wanted[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "these system packages are missing; install them as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Python packages: ONNX Runtime's shared library and what the conversion of models needs.
python_packages() {
  command -v "$python" >/dev/null || fail "\`$python\` is missing: install Python 3.11 or later, or set FACEREC_PYTHON"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "\`$python\` is $("$python" --version); 3.11 or later is needed"
  local requirements=("$root"/scripts/requirements-*.txt) stamp=$home/venv/requirements.stamp
  if [ ! -e "$stamp" ] || ! cat "${requirements[@]}" | cmp -s - "$stamp"; then
    say "making the Python environment $home/venv"
    "$python" -m venv --clear "$home/venv"
    "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check "${requirements[@]/#/--requirement=}"
    cat "${requirements[@]}" >"$stamp"
  fi
}

# Copied, so that the library survives a new environment while a process has it open.
runtime_library() {
  local found extension=so
  [ "$(uname)" = Darwin ] && extension=dylib
  found=$(find "$home"/venv/lib/python3*/site-packages/onnxruntime/capi -name "libonnxruntime.*$extension*" | head -n 1)
  [ -n "$found" ] || fail "the Python package onnxruntime holds no shared library"
  local library=$home/lib/libonnxruntime.$extension
  cmp -s "$found" "$library" && return
  say "installing ${found##*/}"
  mkdir -p "$home/lib"
  cp "$found" "$library.new"
  mv -f "$library.new" "$library"
}

models() {
  command -v npm >/dev/null || fail "\`npm\` is missing: the default models come from npm packages; install Node"
  "$home/venv/bin/python" "$root/models/convert.py" pack "$root/models/default.toml" "$home/models"
  [ "$tests" = no ] || "$home/venv/bin/python" "$root/models/convert.py" pack "$root/models/ultraface-mobilefacenet.toml" "$home/models"
}

# Sample photos: Obama and Biden (face_recognition, MIT), groups of strangers (face-api, MIT), six friends (insightface).
photos() {
  local folder=$home/photos temporary
  [ -e "$folder/complete" ] && return
  say "fetching sample photos"
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' RETURN
  "$home/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary face_recognition \
    --dest "$temporary" face_recognition==1.3.0
  npm pack --silent --pack-destination "$temporary" @vladmandic/face-api@1.7.15 >/dev/null
  mkdir -p "$folder/people" "$folder/strangers"
  tar -xzf "$temporary"/face_recognition-1.3.0.tar.gz -C "$folder/people" --strip-components=3 face_recognition-1.3.0/tests/test_images
  tar -xzf "$temporary"/vladmandic-face-api-1.7.15.tgz -C "$folder/strangers" --strip-components=2 --wildcards 'package/demo/sample*.jpg'
  "$home/venv/bin/python" "$root/models/convert.py" fetch --kind pypi --package insightface --version 2.1 \
    --path insightface/data/images/t1.jpg --output "$folder/strangers/t1.jpg"
  touch "$folder/complete"
}

# Only its libraries: a process can load one ONNX Runtime, and this one is for a test of its own.
openvino_library() {
  local folder=$home/openvino temporary
  [ -e "$folder/complete" ] && return
  say "fetching ONNX Runtime with OpenVINO"
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' RETURN
  "$home/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$temporary" onnxruntime-openvino==1.24.1
  mkdir -p "$folder"
  "$home/venv/bin/python" - "$temporary" "$folder" <<'PYTHON'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("*.whl"))
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        path = pathlib.PurePosixPath(name)
        if path.parent.as_posix() == "onnxruntime/capi" and ".so" in path.name and "pybind" not in path.name:
            (pathlib.Path(sys.argv[2]) / path.name).write_bytes(archive.read(name))
PYTHON
  touch "$folder/complete"
}

mkdir -p "$home"
[ "$system" = yes ] && system_packages
python_packages
runtime_library
models
photos
[ "$tests" = yes ] && openvino_library
[ "$tests" = yes ] && FACEREC_HOME=$home FACEREC_PYTHON=$home/venv/bin/python "$root/scripts/postgres.sh"
[ "$tests" = yes ] && "$root/scripts/build-client.sh" --packages
say "ready in $home"
