#!/bin/sh
# Peak memory of `facerec video` on one clip looped to 1 minute and to 30 minutes: what a long video costs beyond a short one.
#   benches/video_memory.sh CLIP GALLERY [facerec options...]
# MINUTES=5 tries a shorter long one; FACEREC names the command (default target/release/facerec).
set -eu
[ $# -ge 2 ] || { sed -n '2,4s/^# *//p' "$0" >&2; exit 2; }
clip=$1 gallery=$2
shift 2
facerec=${FACEREC:-$(dirname "$0")/../target/release/facerec}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Prints the peak resident size in KiB.
peak() {
    file=$folder/$1.mp4
    ffmpeg -v error -stream_loop -1 -i "$clip" -t "$(($1 * 60))" -c copy "$file"
    shift
    python3 - "$facerec" --json "$@" video --gallery "$gallery" "$file" <<'PY'
import resource, subprocess, sys
run = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
print(run.stdout.splitlines()[-1], file=sys.stderr)
if run.returncode:
    sys.exit(run.returncode)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PY
}

short=$(peak 1 "$@")
long=$(peak "${MINUTES:-30}" "$@")
awk "BEGIN { printf \"1 minute: %.1f MiB\\n${MINUTES:-30} minutes: %.1f MiB\\nratio: %.3f\\n\", $short / 1024, $long / 1024, $long / $short }"
