"""A video as an iterator: results, numbers, and every way to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest

import facerec
from conftest import make_clip


def test_a_video_gives_one_sighting_per_person(engine, clip, people):
    with engine.video(clip, people, boxes=True) as video:
        assert (video.info.width, video.info.height, video.info.codec, video.info.live) == (640, 360, "h264", False)
        assert video.info.duration == pytest.approx(4, abs=0.1)
        sightings = list(video)
        assert next(video, None) is None, "over is over"
    assert [sighting.person for sighting in sightings] == ["Obama", "Biden"]
    first, second = sightings
    assert 0 <= first.start < first.end < second.start < second.end < 4.1
    assert first.spans[0][0] == first.start and first.similarity >= first.decision.threshold
    assert len(first.boxes) == first.frames and first.boxes[0].detected
    shot = first.best_shots[0]
    assert shot.picture.dtype == numpy.uint8 and shot.picture.ndim == 3 and max(shot.picture.shape) <= 160
    assert {shot.embedding.vector.shape for shot in first.best_shots} == {(192,)}
    summary = video.summary
    assert summary.frames == 100 and summary.tracks == 2 and summary.unknown_tracks == 0
    assert list(summary.persons) == ["Biden", "Obama"] and summary.wall > 0 and summary.stages["detect"] > 0
    assert video.progress.frames == 100 and summary.duration == pytest.approx(3.96, abs=0.01)


def test_options_are_passed_on(engine, clip, people):
    part = list(engine.video(clip, people, start=2.5, end=3, pictures=False, best_shots=1))
    assert [sighting.person for sighting in part] == ["Biden"]
    assert part[0].start >= 2.5 and part[0].end <= 3.001 and part[0].boxes == ()
    assert [shot.picture for shot in part[0].best_shots] == [None]
    video = engine.video(clip, every_frame=True, end=1)
    assert [sighting.person for sighting in video] == [None]
    assert video.summary.frames_detected == video.summary.frames
    early = next(engine.video(clip, people, provisional=True))
    assert early.provisional and early.person == "Obama" and early.end < 2


def test_an_open_gallery_does_as_well_as_its_folder(engine, clip, people):
    with engine.gallery(people, read_only=True) as gallery:
        video = engine.video(clip, gallery, end=1)
    assert [sighting.person for sighting in video] == ["Obama"], "it keeps a gallery that was closed meanwhile"


def test_sightings_are_values_tables_and_pages(engine, clip, people):
    import copy
    import json
    import pickle

    sightings = facerec.Table(engine.video(clip, people))
    for sighting in sightings:
        same = pickle.loads(pickle.dumps(sighting))
        assert same == sighting == copy.deepcopy(sighting) and hash(same) == hash(sighting)
        plain = json.loads(json.dumps(sighting.to_dict()))
        assert plain["person"] == sighting.person and list(plain)[0] == "track"
        html = sighting._repr_html_()
        assert html.count("<img") == len(sighting.best_shots) and sighting.person in html
    pytest.importorskip("pandas")
    assert list(sightings.to_pandas()["person"]) == ["Obama", "Biden"]
    assert list(engine.video(clip, people).to_pandas()["person"]) == ["Obama", "Biden"]


def test_progress_is_told(engine, clip):
    told: list[facerec.Progress] = []
    list(engine.video(clip, progress=told.append))
    assert [now.frames for now in told] == sorted(now.frames for now in told)
    assert told[-1].frames == 100 == told[-1].total and told[-1].time > 3.9
    list(engine.video(clip, progress=False, end=1))
    pytest.importorskip("tqdm")
    list(engine.video(clip, progress=True, end=1))


def test_what_a_progress_function_raises_ends_the_video(engine, clip):
    def tell(now):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        list(engine.video(clip, progress=tell))


def test_a_video_can_be_left_at_any_time(engine, clip, people):
    before = threading.active_count()
    for _ in range(5):
        with engine.video(clip, people) as video:
            next(video)
            start = time.monotonic()
        assert next(video, None) is None, "closed is over"
        del video
        abandoned = engine.video(clip, people)
        del abandoned
        assert time.monotonic() - start < 3
    assert threading.active_count() == before
    names = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one may end while they are read
            names.append(Path(f"/proc/self/task/{task}/comm").read_text().strip())
    assert not [name for name in names if name.startswith("facerec-video")]


def test_two_videos_at_the_same_time(engine, clip, people):
    both = [engine.video(clip, people), engine.video(clip, people)]
    assert [[sighting.person for sighting in video] for video in both] == [["Obama", "Biden"]] * 2


def test_ctrl_c_stops_a_video_within_a_second(photos, tmp_path):
    long = make_clip([photos / "people" / "obama3.jpg"], 30, tmp_path / "long.mp4")
    code = f"""
import signal, facerec
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
engine = facerec.Engine()
video = engine.video({str(long)!r}, every_frame=True)
print("begun", flush=True)
try:
    for sighting in video:
        pass
except KeyboardInterrupt:
    print("interrupted", video.progress.frames < 750, next(video, None), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "begun"
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.readline().strip()
        assert time.monotonic() - start < 1
        assert said == "interrupted True None"
        assert process.wait(5) == 0


def test_what_is_no_video_has_a_code(engine, clip, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(facerec.DecodeVideoError) as caught:
        engine.video(text)
    assert caught.value.code == "decode_video"
    with pytest.raises(facerec.IoError):
        engine.video(tmp_path / "missing.mp4")
    with pytest.raises(facerec.IoError):
        engine.video(text, tmp_path / "no gallery")
    for bad in ({"start": -1}, {"end": float("nan")}, {"rejoin_within": -1}, {"deinterlace": "sideways"}):
        with pytest.raises(facerec.InvalidArgument):
            engine.video(text, **bad)
    with pytest.raises(TypeError):
        engine.video(text, 3)
    with pytest.raises(facerec.DeviceUnavailable):
        engine.video(clip, hardware="toaster")


def test_a_video_that_breaks_off_gives_what_it_had_then_the_error(engine, clip, people, tmp_path):
    mkv = tmp_path / "whole.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), "-c", "copy", str(mkv)], check=True)
    data = mkv.read_bytes()
    broken = tmp_path / "bröken vidéo.mkv"
    broken.write_bytes(data[: len(data) // 4])
    video = engine.video(broken, people)
    sightings = [next(video)]
    assert sightings[0].person == "Obama"
    assert video.summary.frames < 100


def _camera(data: bytes, connections: int = 1) -> int:
    """A camera that sends ``data`` to each of so many connections, and then is gone. Returns its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def send() -> None:
        with server:
            for _ in range(connections):
                with server.accept()[0] as connection:
                    connection.sendall(data)

    threading.Thread(target=send, daemon=True).start()
    return server.getsockname()[1]


def test_a_camera_that_is_lost_raises_after_what_it_showed(engine, clip, people, tmp_path):
    stream = tmp_path / "clip.ts"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), "-an", "-c:v", "copy", str(stream)], check=True)
    data = stream.read_bytes()
    video = engine.video(f"tcp://cam:SecretPw@127.0.0.1:{_camera(data)}", people, timeout=5)
    assert "SecretPw" not in f"{video!r} {video.path}"
    seen = []
    with pytest.raises(facerec.SourceLost) as caught:
        seen.extend(video)
    assert caught.value.code == "source_lost" and "SecretPw" not in str(caught.value)
    assert isinstance(caught.value, ConnectionError)
    assert video.info.live and video.summary.frames > 50
    assert video.summary.reception == facerec.Reception(0, 0, 0, ())

    # Tried again, and left in order while it is away.
    video = engine.video(f"tcp://127.0.0.1:{_camera(data, 2)}", people, timeout=5, reconnect=2)
    with pytest.raises(facerec.SourceLost, match="did not come back within 2s"):
        list(video)
    (first, again), last = video.summary.reception.absences
    assert first < again and last[1] is None
    with engine.video(f"tcp://127.0.0.1:{_camera(data)}", timeout=5, reconnect=True) as video:
        time.sleep(1)
        start = time.monotonic()
    assert time.monotonic() - start < 2
    for bad in ({"timeout": -1}, {"reconnect": -1}, {"backlog": float("nan")}):
        with pytest.raises(facerec.InvalidArgument):
            engine.video(clip, **bad)


def test_every_common_format_is_read(engine, clip, tmp_path, people):
    """The FFmpeg inside the wheel has the decoders that people need."""
    encoders = {
        "hevc.mp4": ["-c:v", "libx265", "-x265-params", "log-level=none"],
        "vp8.webm": ["-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime", "-cpu-used", "8"],
        "vp9.webm": ["-c:v", "libvpx-vp9", "-b:v", "2M", "-deadline", "realtime", "-cpu-used", "8"],
        "av1.mkv": ["-c:v", "libsvtav1", "-preset", "12"],
        "mpeg4.avi": ["-c:v", "mpeg4", "-q:v", "3"],
        "mpeg2.ts": ["-c:v", "mpeg2video", "-q:v", "3"],
        "h264.mov": ["-c:v", "copy"],
        "mjpeg.mkv": ["-c:v", "mjpeg", "-q:v", "3"],
        "moving.gif": [],
    }
    for name, encoder in encoders.items():
        out = tmp_path / name
        command = ["ffmpeg", "-v", "error", "-t", "1", "-i", str(clip), *encoder, str(out)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        found = [sighting.person for sighting in engine.video(out, people)]
        assert found == ["Obama"], name


def test_videos_cannot_be_pickled(engine, clip):
    import pickle

    with engine.video(clip) as video, pytest.raises(TypeError):
        pickle.dumps(video)
