"""Enrols somebody and looks for them in another photo: python enroll_identify.py gallery name photo.jpg party.jpg"""

import sys

import facerec

engine = facerec.Engine()
with engine.gallery(sys.argv[1]) as gallery:
    gallery.enroll(sys.argv[2], sys.argv[3])
    for face in gallery.identify(sys.argv[4]):
        print(face.box, face.person or "unknown")
