"""Says who is in a video, from when to when: python video.py video.mp4 gallery"""

import sys

import facerec

engine = facerec.Engine()
for sighting in engine.video(sys.argv[1], sys.argv[2]):
    print(f"{sighting.start:.1f}-{sighting.end:.1f} s", sighting.person or "unknown")
