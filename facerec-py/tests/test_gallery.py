"""People: enrol, look up, change, copy, close."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest

import facerec


def test_enrolment_says_what_it_did(gallery, photos, obama, group):
    accepted = gallery.enroll("Obama", obama, source="press", metadata='{"year": 2012}')
    assert accepted and accepted.accepted and accepted.reason is None and accepted.person == "Obama"
    for image, reason in ((group, "several_faces"), (obama, "duplicate"), (numpy.zeros((9, 9, 3), "uint8"), "no_face")):
        refused = gallery.enroll("Obama", image)
        assert not refused and (refused.face_id, refused.reason) == (None, reason)
    assert not gallery.enroll("Small", group, gate="strict")
    assert gallery.enroll("Largest", group, gate="off")
    assert gallery.person("Obama") in list(gallery.people())
    faces = gallery.faces("Obama")
    assert [(face.id, face.source, face.metadata) for face in faces] == [(accepted.face_id, "press", '{"year": 2012}')]
    assert gallery.embedding(accepted.face_id) == accepted.face.embedding
    assert gallery.embedding(999) is None


def test_of_several_faces_the_one_that_is_meant_can_be_enrolled(engine, gallery, group):
    faces = engine.embed(group)
    for number, face in enumerate(faces):
        assert gallery.enroll(f"Friend {number}", face, gate="off"), "the very same Face objects go back in"
    found = gallery.identify(group)
    assert [face.person for face in found] == [f"Friend {number}" for number in range(len(faces))]
    assert engine.enroll(gallery, "Friend 0", faces[0]).reason == "duplicate"


def test_a_face_without_a_vector_cannot_be_enrolled(engine, gallery, obama):
    with pytest.raises(facerec.Error):
        gallery.enroll("Obama", engine.detect(obama)[0])


def test_known_people_are_named_and_strangers_are_not(engine, gallery, photos, obama, group):
    assert [face.person for face in gallery.identify(obama)] == [None]
    assert gallery.identify(obama)[0].decision.reason == "empty_gallery"
    gallery.enroll("Obama", obama)
    found = engine.identify(gallery, photos / "people" / "obama2.jpg")
    assert [face.person for face in found] == ["Obama"]
    assert found[0].similarity >= found[0].decision.threshold == pytest.approx(engine.identify_threshold)
    strangers = gallery.identify(group)
    assert len(strangers) == 6 and {face.person for face in strangers} == {None}
    assert strangers[0].decision.candidates[0].person == "Obama", "the evidence is there"
    strict = gallery.identify(photos / "people" / "obama2.jpg", threshold=0.99)
    assert strict[0].person is None and strict[0].decision.reason == "below_threshold"
    assert gallery.identify(group, candidates=0)[0].decision.candidates == ()


@pytest.mark.parametrize("bad", [{"threshold": 1.5}, {"threshold": float("nan")}, {"margin": -1}])
def test_options_out_of_range_are_refused(gallery, obama, bad):
    with pytest.raises(facerec.InvalidArgument):
        gallery.identify(obama, **bad)


def test_people_can_be_renamed_and_removed(gallery, photos):
    for name in ("obama", "biden"):
        gallery.enroll(name, photos / "people" / f"{name}.jpg")
    gallery.rename("obama", "Barack ☃")
    assert [person.name for person in gallery.people()] == ["Barack ☃", "biden"]
    with pytest.raises(facerec.InvalidArgument):
        gallery.rename("biden", "Barack ☃")
    for call in (lambda: gallery.rename("nobody", "x"), lambda: gallery.remove("nobody"), lambda: gallery.faces("nobody"), lambda: gallery.person("nobody")):
        with pytest.raises(facerec.PersonNotFound) as caught:
            call()
        assert isinstance(caught.value, LookupError) and caught.value.code == "person_not_found"
    assert gallery.remove("biden") == 1
    face = gallery.faces("Barack ☃")[0]
    assert gallery.remove_face(face.id) and not gallery.remove_face(face.id)
    assert gallery.people() == []
    for name in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(facerec.InvalidArgument):
            gallery.enroll(name, photos / "people" / "obama.jpg")


def test_vectors_of_ones_own_need_no_engine(engine, gallery):
    model = {"model": gallery.model, "model_hash": gallery.model_hash}
    vectors = numpy.eye(3, 192, dtype="float32")
    for number, vector in enumerate(vectors):
        assert gallery.add(f"P{number}", facerec.Embedding(vector, **model)) == number + 1
    probe = facerec.Embedding(vectors[1] + 0.1 * vectors[2], **model)
    matches = gallery.search(probe, 2)
    assert [match.person for match in matches] == ["P1", "P2"] and matches[0].similarity > 0.9
    assert gallery.decide(probe, 0.5).person == "P1"
    assert gallery.decide(probe, 0.999).person is None
    with pytest.raises(facerec.DimensionMismatch):
        gallery.add("Short", facerec.Embedding([1.0, 0.0], **model))
    with pytest.raises(facerec.EmbeddingModelMismatch):
        gallery.search(facerec.Embedding(vectors[0], "another", "1"))
    with pytest.raises(TypeError):
        gallery.search(vectors[0])


def test_a_gallery_is_copied_by_export_and_import(engine, gallery, people, tmp_path):
    out = tmp_path / "all of them.jsonl"
    with facerec.Gallery.open(people, read_only=True) as source:
        assert source.export(out) == 2
    report = gallery.import_(out)
    assert (report.persons, report.faces, report.duplicates) == (2, 2, 0)
    assert gallery.import_(out).duplicates == 2
    assert [person.name for person in gallery.people()] == ["Biden", "Obama"]
    with pytest.raises(facerec.InvalidArgument):
        gallery.import_(people / "gallery.db")
    with pytest.raises(facerec.IoError):
        gallery.import_(tmp_path / "missing")
    report = gallery.verify()
    assert report and report.faces == 2 and report.problems == ()
    stats = gallery.stats()
    assert (stats.persons, stats.faces, stats.dim) == (2, 2, 192)
    gallery.compact()


def test_a_closed_gallery_says_so(engine, obama, tmp_path):
    with engine.gallery(tmp_path) as gallery:
        assert not gallery.closed
    assert gallery.closed and "closed" in repr(gallery)
    gallery.close()
    calls = [
        gallery.people,
        gallery.stats,
        gallery.verify,
        gallery.compact,
        lambda: gallery.enroll("Obama", obama),
        lambda: gallery.identify(obama),
        lambda: gallery.remove("Obama"),
        lambda: engine.identify(gallery, obama),
        lambda: engine.video(obama, gallery),
        lambda: gallery.model,
    ]
    for call in calls:
        with pytest.raises(facerec.InvalidArgument, match="was closed"):
            call()
    engine.gallery(tmp_path).close()


def test_a_gallery_without_an_engine_can_be_managed_only(people, obama):
    with facerec.Gallery.open(people, read_only=True) as gallery:
        assert len(gallery.people()) == 2
        with pytest.raises(facerec.InvalidArgument, match=r"engine\.gallery\(path\)"):
            gallery.identify(obama)
        with pytest.raises(facerec.InvalidArgument, match="read_only"):
            gallery.remove("Obama")


def test_one_writer_at_a_time(engine, gallery, tmp_path):
    code = "import sys, facerec\ntry: facerec.Gallery.open(sys.argv[1], wait=0)\nexcept facerec.GalleryLocked as error: print(error.code)"
    run = subprocess.run([sys.executable, "-c", code, str(gallery.path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "gallery_locked", run.stderr


def test_a_writer_waits_for_the_other_one(engine, people):
    with engine.gallery(people) as first:
        start = time.monotonic()
        with pytest.raises(facerec.GalleryLocked, match=f"process {os.getpid()}"):
            engine.gallery(people, wait=0.2)
        assert 0.2 <= time.monotonic() - start < 10
        with ThreadPoolExecutor() as threads:
            second = threads.submit(engine.gallery, people)
            time.sleep(0.1)
            assert not second.done(), "two writers at once"
            first.close()
            second.result().close()
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(facerec.InvalidArgument, match="wait"):
            engine.gallery(people, wait=wrong)


def test_ctrl_c_ends_a_wait(people):
    code = """
import signal, sys, facerec
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
held = facerec.Gallery.open(sys.argv[1])
print("held", flush=True)
try:
    facerec.Gallery.open(sys.argv[1], wait=60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
held.close()
facerec.Gallery.open(sys.argv[1], wait=0).close()
print("free")
"""
    with subprocess.Popen([sys.executable, "-c", code, str(people)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        time.sleep(0.2)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - start < 5
        assert process.stdout.readline() == "free\n"


def test_open_files_and_locks_cannot_be_pickled(gallery):
    with pytest.raises(TypeError):
        pickle.dumps(gallery)


def test_a_gallery_that_is_not_there(engine, tmp_path):
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(facerec.IoError):
            engine.gallery(tmp_path / "missing", **options)
    with pytest.raises(facerec.IoError):
        facerec.Gallery.open(tmp_path / "missing")


def test_damage_is_told(engine, people, tmp_path):
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(people, folder)
    (folder / "gallery.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(facerec.GalleryCorrupt) as caught:
        engine.gallery(folder)
    assert caught.value.code == "gallery_corrupt"


def test_two_names_become_one_person_and_one_person_two(engine, gallery, photos, obama):
    for name, file in (("Barack", "obama"), ("Obama", "obama2"), ("Biden", "biden")):
        gallery.enroll(name, photos / "people" / f"{file}.jpg")
    (pair,) = gallery.duplicates()
    assert (pair.first, pair.second, pair.supporting_faces) == ("Barack", "Obama", 2)
    assert gallery.duplicates(0.999) == [] and gallery.duplicates(limit=0) == []
    assert gallery.merge("Barack", "Obama") == 1
    assert [(person.name, person.faces) for person in gallery.people()] == [("Biden", 1), ("Obama", 2)]
    assert gallery.identify(obama)[0].person == "Obama"
    assert gallery.split("Obama", [pair.first_face], "Barack") == 1
    assert gallery.identify(obama)[0].person == "Barack"
    for call in (lambda: gallery.merge("nobody", "Obama"), lambda: gallery.split("nobody", [1], "x")):
        with pytest.raises(facerec.PersonNotFound):
            call()
    for call in (lambda: gallery.merge("Obama", "Obama"), lambda: gallery.split("Obama", [], "x"), lambda: gallery.split("Obama", [999], "x")):
        with pytest.raises(facerec.InvalidArgument):
            call()
    assert gallery.verify()


def test_searches_can_be_narrowed(gallery, obama, photos):
    gallery.enroll("Obama", obama, metadata='{"site": "north"}')
    gallery.enroll("Biden", photos / "people" / "biden.jpg", metadata='{"site": "south"}')
    probe = gallery.embedding(1)
    assert [match.person for match in gallery.search(probe)] == ["Obama", "Biden"]
    assert [match.person for match in gallery.search(probe, only=["Biden", "nobody"])] == ["Biden"]
    assert [match.person for match in gallery.search(probe, where='{"site": "north"}')] == ["Obama"]
    assert gallery.decide(probe, 0.5, only=["Biden"]).person is None
    assert gallery.identify(obama, only=["Obama"])[0].person == "Obama"
    assert gallery.identify(obama, where='{"site": "south"}')[0].person is None
    with pytest.raises(facerec.InvalidArgument):
        gallery.search(probe, where="[1]")


def test_unknown_faces_are_put_together(engine, photos, group):
    pictures = [photos / "people" / f"{name}.jpg" for name in ("obama", "biden", "obama2")]
    faces = [face for picture in [*pictures, group] for face in engine.embed(picture)]
    clusters = engine.cluster(faces)
    assert clusters[0].members == (0, 2) and clusters[0].typical in (0, 2) and clusters[0].cohesion > 0.5
    assert sorted(member for cluster in clusters for member in cluster.members) == list(range(len(faces)))
    assert engine.cluster([face.embedding for face in faces], min_size=2) == clusters[:1]
    assert len(engine.cluster(faces, threshold=-1, strict_step=0)) == 1
    assert engine.cluster([]) == []
    with pytest.raises(facerec.InvalidArgument):
        engine.cluster(engine.detect(pictures[0]))
    with pytest.raises(facerec.InvalidArgument):
        engine.cluster(faces, threshold=2)


def test_a_gallery_can_be_encrypted(engine, obama, tmp_path):
    key = bytes(range(32))
    with engine.gallery(tmp_path, key=key, actor="tests") as gallery:
        gallery.enroll("Maximilian", obama, source="a secret source")
        assert gallery.stats().encrypted
    assert not any(b"Maximilian" in file.read_bytes() or b"secret source" in file.read_bytes() for file in tmp_path.iterdir())
    for wrong in ({}, {"key": bytes(32)}, {"passphrase": "no"}):
        with pytest.raises(facerec.WrongKey):
            facerec.Gallery.open(tmp_path, **wrong)
    for bad in ({"key": b"short"}, {"key": key, "passphrase": "both"}):
        with pytest.raises(facerec.InvalidArgument):
            facerec.Gallery.open(tmp_path, **bad)
    with facerec.Gallery.open(tmp_path, key=key) as gallery:
        gallery.set_key(passphrase="a long passphrase")
    with facerec.Gallery.open(tmp_path, passphrase="a long passphrase") as gallery:
        gallery.set_key()
    with facerec.Gallery.open(tmp_path) as gallery:
        assert [person.name for person in gallery.people()] == ["Maximilian"] and not gallery.stats().encrypted


def test_changes_are_audited_and_faces_expire(engine, gallery, obama, photos, tmp_path):
    gallery.enroll("Obama", obama)
    gone = gallery.enroll("Biden", photos / "people" / "biden.jpg", expires=1.0)
    assert gone, "its time has come already"
    assert gallery.identify(photos / "people" / "biden.jpg")[0].person is None
    gallery.purge_expired()
    assert [person.name for person in gallery.people()] == ["Obama"]
    later = 4e9
    face = gallery.enroll("Later", photos / "people" / "obama2.jpg", expires=later)
    assert gallery.faces("Later")[0].expires == later and gallery.faces("Obama")[0].expires is None
    gallery.merge("Later", "Obama")
    entries = gallery.audit()
    assert [entry.action for entry in entries if entry.action in ("add", "expire", "merge")] == ["add", "add", "expire", "add", "merge"]
    assert face.face_id in entries[-1].faces and entries[-1].at == pytest.approx(entries[0].at, abs=600)
    assert gallery.audit(entries[-2].id) == entries[-1:] and gallery.audit(limit=1) == entries[:1]
    out = tmp_path / "obama.jsonl"
    assert gallery.export_person("Obama", out) == 2
    assert gallery.import_(out).duplicates == 2


CROWD = 9000


@pytest.fixture(scope="module")
def crowd(engine, tmp_path_factory):
    """An export of many faces with short vectors."""
    path = tmp_path_factory.mktemp("crowd") / "crowd.jsonl"
    with engine.gallery(path.parent / "empty") as empty:
        model = {"id": empty.model, "hash": empty.model_hash}
    header = {"format": "facerec-gallery", "version": 1, "model": model, "dim": 8, "persons": CROWD, "faces": CROWD}
    vectors = numpy.random.default_rng(1).normal(size=(CROWD, 8))
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    lines = [{"person": f"P{number}", "embedding": vector.tolist()} for number, vector in enumerate(vectors)]
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *lines]))
    return path


@pytest.mark.parametrize("kind", ["sq8", "fp16", "flat"])
def test_the_kind_of_index_is_chosen_when_a_gallery_is_opened(engine, crowd, tmp_path, kind):
    with engine.gallery(tmp_path, index=kind) as gallery:
        gallery.import_(crowd)
        gallery.compact()
        stats = gallery.stats()
        assert stats.index_kind == ("faiss-flat-ip" if kind == "flat" else f"faiss-{kind}")
        assert 0.9 < stats.recall <= 1 and not stats.index_building and stats.tombstones == 0
        assert stats.index_bytes_per_face >= 8 * 4 and stats.bytes_on_disk > CROWD * 8 * 4 and stats.generation == 1
        probe = gallery.embedding(77)
        assert gallery.search(probe, 1)[0].face_id == 77
        gallery.remove("P76")
        assert gallery.stats().tombstones == (0 if kind == "flat" else 1)
        assert gallery.search(probe, 1)[0].face_id != 77
        gallery.compact()
        assert gallery.stats().tombstones == 0
    with facerec.Gallery.open(tmp_path, read_only=True) as reader:
        assert reader.stats().index_kind == stats.index_kind, "kept with the gallery"
        assert set(reader.stats().to_dict()) == set(stats.__dataclass_fields__)


def test_every_kind_of_index_has_its_code(engine, obama, tmp_path):
    for kind in ("auto", "flat", "sq8", "fp16", "ivf", "hnsw"):
        with engine.gallery(tmp_path / kind, index=kind) as gallery:
            gallery.enroll("Obama", obama)
            assert gallery.stats().index_kind == "faiss-flat-ip", "there is nothing to build for so few"
            assert gallery.identify(obama)[0].person == "Obama"


@pytest.mark.parametrize("wrong", ["", "HNSW", "faiss-ivf", "brute"])
def test_a_wrong_kind_of_index_is_refused(engine, tmp_path, wrong):
    for call in (engine.gallery, facerec.Gallery.open):
        with pytest.raises(facerec.InvalidArgument, match="auto flat sq8 fp16 ivf hnsw"):
            call(tmp_path / "gallery", index=wrong)
    assert not (tmp_path / "gallery").exists()


def test_opening_tells_how_far_it_is(engine, crowd, tmp_path):
    told = []
    with engine.gallery(tmp_path, progress=lambda *now: told.append(now)) as gallery:
        gallery.import_(crowd)
    assert told == [], "nothing was there to be read"
    snapshot = tmp_path / "index.snapshot"
    for call in (engine.gallery, facerec.Gallery.open):
        snapshot.unlink()
        call(tmp_path, progress=lambda *now: told.append(now)).close()
        done, totals = [one[0] for one in told], {one[1] for one in told}
        assert len(told) >= 2 and done == sorted(done) and done[-1] == CROWD and totals == {CROWD}
        told.clear()
    engine.gallery(tmp_path, progress=lambda *now: told.append(now)).close()
    assert told == [], "the saved index is read at once"
    with pytest.raises(facerec.InvalidArgument, match="progress"):
        engine.gallery(tmp_path, progress="often")


def test_what_progress_raises_comes_out_of_opening_and_leaves_nothing_open(engine, crowd, tmp_path):
    with engine.gallery(tmp_path) as gallery:
        gallery.import_(crowd)
    (tmp_path / "index.snapshot").unlink()
    calls = []

    def tired(done: int, total: int) -> None:
        calls.append(done)
        raise RuntimeError(f"tired after {done} of {total}")

    with pytest.raises(RuntimeError, match=f"tired after [0-9]+ of {CROWD}"):
        engine.gallery(tmp_path, progress=tired)
    assert len(calls) == 1, "it is not asked again"
    (tmp_path / "index.snapshot").unlink(missing_ok=True)
    with pytest.raises(TypeError):
        engine.gallery(tmp_path, progress=lambda: None)
    (tmp_path / "index.snapshot").unlink(missing_ok=True)
    # Ctrl-C, seen as soon as the function is called. Where a shell started the tests in the background, it is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.gallery(tmp_path, progress=lambda *now: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    # The lock is free again.
    with engine.gallery(tmp_path) as gallery:
        assert gallery.stats().faces == CROWD


def test_the_actor_of_changes_is_named_when_a_gallery_is_opened(engine, obama, tmp_path):
    with engine.gallery(tmp_path, actor="the registrar") as gallery:
        gallery.enroll("Obama", obama)
    with facerec.Gallery.open(tmp_path, actor="the office") as gallery:
        gallery.rename("Obama", "Barack")
        assert [entry.actor for entry in gallery.audit() if entry.action in ("add", "rename")] == ["the registrar", "the office"]
    for wrong in ("", "x" * 201, "a\nb"):
        with pytest.raises(facerec.InvalidArgument, match="actor"):
            engine.gallery(tmp_path, actor=wrong)


def test_names_are_text(gallery, photos, obama):
    nfd, nfc = "Andre\u0301", "Andr\u00e9"
    assert gallery.enroll(nfd, obama).person == nfc
    assert gallery.enroll(f" {nfc}\u00a0", photos / "people" / "obama2.jpg").accepted
    assert [(one.name, one.faces) for one in gallery.people()] == [(nfc, 2)]
    assert gallery.person(nfd) == gallery.person(nfc)
    assert gallery.identify(obama, only=[nfd])[0].person == nfc
    # What os.fsdecode makes of a folder in Latin-1, and other things that are no names.
    latin1 = os.fsdecode(b"Jos\xe9\x1b")
    for bad in (latin1, "Jos\ud800", "", "\u200b", "a\x1b[31mb", "Jos\ufffd"):
        for call in (
            lambda: gallery.enroll(bad, obama),
            lambda: gallery.rename(nfc, bad),
            lambda: gallery.split(nfc, [1], bad),
            lambda: gallery.add(bad, gallery.embedding(1)),
        ):
            with pytest.raises(facerec.InvalidArgument) as error:
                call()
            assert error.value.code == "invalid_argument" and str(error.value).isprintable()
    for call in (gallery.person, gallery.faces, gallery.remove, lambda name: gallery.search(gallery.embedding(1), only=[name])):
        with pytest.raises(facerec.InvalidArgument, match=r"Jos\\xe9\\u\{1b\}"):
            call(latin1)
    with pytest.raises(facerec.PersonNotFound, match=r"\\u\{202e\}x"):
        gallery.person("\u202ex")
    assert gallery.remove(nfd) == 2


def test_paths_that_are_no_text_work(engine, obama, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9\x1b.jpg")
    shutil.copy(obama, path)
    assert len(engine.detect(path)) == 1
    with pytest.raises(facerec.Error, match=r"\\xe8\\u\{1b\}"):
        engine.detect(os.fsdecode(os.fsencode(tmp_path) + b"/\xe8\x1b.jpg"))
