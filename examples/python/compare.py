"""Says whether two photos show the same person: python compare.py a.jpg b.jpg"""

import sys

import facerec

engine = facerec.Engine()
result = engine.compare(sys.argv[1], sys.argv[2])
print("same person:", result.same, "similarity:", result.similarity, "threshold:", result.threshold)
