#!/usr/bin/env bash
# Makes the demo's video of the sample photos, .facerec/demo.mp4: Obama, strangers, Biden, Obama again, strangers; three seconds each.
# Made here, since no registry has one with people who come, go and return. A second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=${FACEREC_HOME:-.facerec}
photos=$home/photos
clip=$home/demo.mp4
[ ! -e "$clip" ] || [ "$clip" -ot "${BASH_SOURCE[0]}" ] || exit 0

# Each with the place of the face between top (0) and bottom (1) of the photo.
scenes=("people/obama3.jpg 0.12" "strangers/t1.jpg 0.5" "people/biden.jpg 0.05" "people/obama2.jpg 0.33" "strangers/sample1.jpg 0.4")
inputs=()
filters=""
for number in "${!scenes[@]}"; do
  read -r photo place <<<"${scenes[number]}"
  inputs+=(-i "$photos/$photo")
  # Three seconds of slowly moving closer, at the size of a small video.
  filters+="[$number:v]scale=960:540:force_original_aspect_ratio=increase,crop=960:540:(iw-ow)/2:(ih-oh)*$place,"
  filters+="zoompan=z='1+0.002*on':d=75:s=640x360:fps=25,setsar=1,format=yuv420p[v$number];"
done
for number in "${!scenes[@]}"; do filters+="[v$number]"; done
filters+="concat=n=${#scenes[@]}:v=1[v]"
ffmpeg -y -v error "${inputs[@]}" -filter_complex "$filters" -map '[v]' -c:v libx264 -preset veryfast -f mp4 "$clip.new"
mv -f "$clip.new" "$clip"
