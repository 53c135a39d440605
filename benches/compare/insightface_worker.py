"""The InsightFace side of insightface_photo.py: the same orders on stdin as facerec-core/benches/photo.rs, the same answers.

python insightface_worker.py MODEL_FOLDER THREADS IMAGE...
"""

import contextlib
import json
import sys
import time
import warnings

import cv2
import onnxruntime

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(3)

with contextlib.redirect_stdout(sys.stderr):
    from insightface.app import FaceAnalysis

    folder, threads, *paths = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    app = FaceAnalysis(folder, sess_options=options, providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=-1, det_size=(640, 640))
    images = [cv2.imread(path) for path in paths]

for line in sys.stdin:
    match line.split():
        case ["embed", index, calls]:
            image, ms = images[int(index)], []
            for _ in range(int(calls)):
                start = time.perf_counter()
                faces = app.get(image)
                ms.append((time.perf_counter() - start) * 1000)
            answer = {"faces": len(faces), "ms": ms}
        case ["memory"]:
            with open("/proc/self/status") as status:
                peak = next(row for row in status if row.startswith("VmHWM:"))
            answer = {"peak_mib": int(peak.split()[1]) / 1024}
        case _:
            answer = {"error": f"unknown order `{line.strip()}`"}
    print(json.dumps(answer), flush=True)
