#!/usr/bin/env bash
# The ten generated clips, facerec and the peers' trackers on them: `benches/clips/score.sh [options of score.py]`.
# FACEREC: the program (default: built with cargo). FACEREC_SHARED: folder with models and photos (default ../shared beside the
# checkout). CLIPS: where the clips are or go (default target/clips).
set -euo pipefail
cd "$(dirname "$0")/../.."
shared=$(realpath "${FACEREC_SHARED:-../shared}")
clips=${CLIPS:-target/clips}
compare=benches/compare

# Each in its own environment: the generator's pins, InsightFace and `trackers` ask for different OpenCV packages.
environment() { # FOLDER REQUIREMENTS [PIP OPTIONS]
    local folder=$1 wanted=$2
    shift 2
    if ! cmp -s "$wanted" "$folder/installed.txt"; then
        python3 -m venv "$folder"
        "$folder/bin/python" -m pip install --quiet "$@" -r "$wanted"
        cp "$wanted" "$folder/installed.txt"
    fi
}
environment benches/clips/.venv benches/clips/requirements.txt --no-deps
environment $compare/.venv $compare/requirements.txt
environment $compare/.venv-trackers $compare/requirements-trackers.txt

if ! compgen -G "$clips/*/truth.jsonl" > /dev/null; then
    benches/clips/.venv/bin/python benches/clips/generate.py --all --lfw "$shared/data/lfw" --out "$clips"
fi
if [ -z "${FACEREC:-}" ]; then
    cargo build --release -p facerec-core --features cli
    FACEREC=target/release/facerec
fi
$compare/.venv/bin/python benches/clips/score.py "$shared" "$clips" --facerec "$FACEREC" "$@"
