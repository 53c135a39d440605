#!/usr/bin/env bash
# Side by side with the peers, each in the virtual environment benches/compare/.venv: `make bench` calls this.
# FACEREC_SHARED: folder with models and photos (default ../shared beside the checkout).
set -euo pipefail
cd "$(dirname "$0")/../.."
here=benches/compare
shared=$(realpath "${FACEREC_SHARED:-../shared}")
python=$here/.venv/bin/python

if ! cmp -s "$here/requirements.txt" "$here/.venv/installed.txt"; then
    python3 -m venv "$here/.venv"
    "$python" -m pip install --quiet -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$here/.venv/installed.txt"
fi
library=$("$python" -c 'import glob, os, onnxruntime; print(glob.glob(os.path.dirname(onnxruntime.__file__) + "/capi/libonnxruntime.so.*")[0])')
# The release profile, so that nothing is compiled twice.
bench=$(cargo build --release -p facerec-core --features cli,cuda,tensorrt,openvino --bench photo --message-format=json |
    python3 -c 'import json, sys; print([m["executable"] for m in map(json.loads, sys.stdin) if m.get("target", {}).get("name") == "photo" and m.get("executable")][-1])')

"$python" "$here/insightface_photo.py" "$shared" "$bench" "$library" "$@"
echo
"$python" "$here/faiss_flat.py" | tee benches/results/faiss_flat.json

photos=$shared/data/photos/face_recognition/examples
cargo build --release -p facerec-core --features cli,cuda,tensorrt,openvino
# Kinds of index at 1e3 to 1e6 faces: half an hour, 8 GB of memory and 10 GB of disk. FACEREC_KINDS_SIZES=1000,10000 for less.
"$python" "$here/faiss_kinds.py" "$shared" target/release/facerec --sizes "${FACEREC_KINDS_SIZES:-1000,10000,100000,1000000}"
"$python" "$here/draw_kinds.py"
echo
"$python" "$here/video.py" "$shared" "$shared/data/videos/short_hamilton_clip.mp4" --facerec target/release/facerec \
    --person "Miranda=$photos/lin-manuel-miranda.png" "Obama=$photos/obama.jpg" "Lacamoire=$photos/alex-lacamoire.png" \
    --out benches/results/insightface_video.json
echo
cargo bench --profile release -p facerec-core --features cli,cuda,tensorrt,openvino --bench tracker
