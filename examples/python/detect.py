"""Finds faces: python detect.py photo.jpg"""

import sys

import facerec

engine = facerec.Engine()
for face in engine.detect(sys.argv[1]):
    print(face)
