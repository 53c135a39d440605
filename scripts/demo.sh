#!/usr/bin/env bash
# Enrols Obama and Biden, looks for them in other photos and among strangers, and writes annotated pictures to out/.
# Run by `make demo`, after setup and build. Fails when somebody is taken for somebody else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=${FACEREC_HOME:-.facerec}
photos=$home/photos
facerec=${CARGO_TARGET_DIR:-target}/release/facerec
gallery=$home/demo-gallery
export FACEREC_MODELS=${FACEREC_MODELS:-$home/models}

rm -rf "$gallery" out
mkdir -p out
echo "Enrolling into $gallery:"
"$facerec" enroll --gallery "$gallery" --person Obama "$photos/people/obama.jpg" "$photos/people/obama2.jpg"
"$facerec" enroll --gallery "$gallery" --person Biden "$photos/people/biden.jpg"

others=("$photos/people/obama3.jpg" "$photos/people/obama_partial_face.jpg" "$photos/people/obama_partial_face2.jpg")
examples=../shared/data/photos/face_recognition/examples # further photos, where the development data is
for photo in "$examples"/two_people.jpg "$examples"/knn_examples/test/obama_and_biden.jpg "$examples"/knn_examples/train/biden/biden2.jpg; do
  [ -e "$photo" ] && others+=("$photo")
done

echo
echo "Looking for them in other photos and among strangers:"
"$facerec" --json identify --gallery "$gallery" --annotate out "${others[@]}" "$photos"/strangers/*.jpg >out/demo.jsonl
"$home/venv/bin/python" - "$photos/strangers" out/demo.jsonl <<'PYTHON'
import json
import os
import sys

strangers, lines = os.path.realpath(sys.argv[1]), [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
allowed = {"obama": {"Obama"}, "biden": {"Biden"}, "two_people": {"Obama", "Biden"}, "obama_and_biden": {"Obama", "Biden"}}
wrong = found = unknown = 0
for line in lines:
    name = os.path.basename(line["image"])
    if "error" in line:
        sys.exit(f"demo: {name}: {line['error']['message']}")
    people = [(face["person"], face["similarity"]) for face in line["faces"] if face["person"]]
    is_stranger = os.path.realpath(line["image"]).startswith(strangers + os.sep)
    stem = name.split(".")[0]
    expected = set() if is_stranger else allowed.get(stem) or allowed[stem.split("_")[0].rstrip("0123456789")]
    wrong += sum(person not in expected for person, _ in people)
    found, unknown = found + len(people), unknown + len(line["faces"]) - len(people)
    who = ", ".join(f"{person} ({similarity:.2f})" for person, similarity in people) or "nobody known"
    print(f"  {name:28} {len(line['faces']):2} face{'s' if len(line['faces']) != 1 else ' '}   {who}")
print(f"\n{len(lines)} photos: {found} faces recognised, {unknown} unknown, {wrong} wrong. Annotated pictures: out/")
if wrong or not found:
    sys.exit("demo: expected the two to be found, and no stranger to be taken for them")
PYTHON

clip=$home/demo.mp4
echo
echo "A video of some of these photos:"
scripts/demo-video.sh
"$facerec" --json video --gallery "$gallery" "$clip" --annotate out/video.mp4 --report out/video.html --thumbs out/shots >out/video.jsonl
"$home/venv/bin/python" - out/video.jsonl <<'PYTHON'
import json
import sys

*tracks, last = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
summary = last["summary"]
seconds = lambda spans: ", ".join(f"{start / 1000:.1f}-{end / 1000:.1f} s" for start, end in spans)
for track in tracks:
    who = f"{track['person']} ({track['similarity']:.2f})" if track["person"] else "unknown"
    print(f"  {who:15} {seconds(track['spans_ms'])}")
print(f"\n{summary['frames']} frames, {summary['detections']} detections, {summary['embeddings']} embeddings in {summary['wall_ms'] / 1000:.1f} s")
# Obama is in the first and the fourth scene, Biden in the third.
shown = {"Obama": [(0, 3000), (9000, 12000)], "Biden": [(6000, 9000)]}
for name, times in shown.items():
    found = summary["persons"].pop(name, [])
    inside = lambda span, time: time[0] <= span[0] and span[1] <= time[1]
    if not all(any(inside(span, time) for span in found) for time in times) or not all(any(inside(span, time) for time in times) for span in found):
        sys.exit(f"demo: expected {name} in the video at {seconds(times)}, found at {seconds(found)}")
if summary["persons"]:
    sys.exit(f"demo: nobody but Obama and Biden is known, found {', '.join(summary['persons'])}")
PYTHON
echo "The annotated video is out/video.mp4, the page about it out/video.html, the best shots are in out/shots/."
