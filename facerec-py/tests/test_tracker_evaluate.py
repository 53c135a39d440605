"""Trackers, evaluations and models."""

from __future__ import annotations

import json
import shutil

import numpy
import pytest

import facerec
from conftest import ROOT


def face_at(x: float, y: float = 50.0, score: float = 0.9) -> facerec.Face:
    return facerec.Face((x, y, x + 40, y + 50), score, tuple((x + 20.0, y + 25.0) for _ in range(5)))


def test_a_tracker_follows_faces_that_cross_the_picture():
    tracker = facerec.Tracker()
    for frame in range(20):
        step = tracker.update(frame / 10, [face_at(10 + 5 * frame), face_at(400 - 5 * frame, 300)])
        assert [(face.track, face.detection) for face in step.faces] == [(1, 0), (2, 1)] and step.ended == ()
    assert step.faces[0].box == pytest.approx((105, 50, 145, 100))
    foreseen = tracker.predict(2.0)
    assert [(face.track, face.detection) for face in foreseen] == [(1, None), (2, None)] and foreseen[0].box[0] > 105
    assert tracker.update(2.0, []).faces == foreseen, "foreseen for a moment"
    assert tracker.update(9.0, []).ended == (1, 2)
    tracker.update(9.1, [face_at(10)])
    assert tracker.cut() == (3,) and tracker.finish() == ()


def test_a_tracker_refuses_what_it_cannot_use():
    tracker = facerec.Tracker(high_score=0.5, sure_score=0.6, keep_lost=2, coast=0.1, split_after=0.2)
    tracker.update(1, [])
    with pytest.raises(facerec.InvalidArgument):
        tracker.update(0.5, [])
    for time in (-1, float("nan"), float("inf")):
        with pytest.raises(facerec.InvalidArgument):
            tracker.update(time, [])
    with pytest.raises(AttributeError):
        tracker.update(2, ["face"])
    with pytest.raises(facerec.InvalidArgument):
        facerec.Tracker(keep_lost=-1)


@pytest.mark.parametrize("case", range(4))
def test_tracks_are_judged_as_py_motmetrics_does(case):
    folder = ROOT / "fixtures" / "tracks"
    expected = json.loads((folder / f"case{case}-motmetrics.json").read_text())
    report = facerec.evaluate.tracks(folder / f"case{case}-truth.txt", folder / f"case{case}-result.txt")
    found = report.to_dict()
    same = {name: value for name, value in expected.items() if name in found}
    assert len(same) >= 3, expected
    for name, value in same.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


@pytest.fixture
def labelled(photos, tmp_path):
    """A folder of photos with one sub-folder per person."""
    people = {"obama": ["obama.jpg", "obama2.jpg", "obama3.jpg"], "biden": ["biden.jpg"]}
    for name, files in people.items():
        (tmp_path / name).mkdir()
        for file in files:
            shutil.copy(photos / "people" / file, tmp_path / name / file)
    return tmp_path


def test_calibration_and_identification_on_a_small_folder(engine, labelled):
    told = []
    [found] = facerec.evaluate.calibrate(engine, labelled, fmr=0.4, progress=lambda *now: told.append(now))
    assert found.pairs == 6 and found.fnmr == 0 and found.fmr <= 0.4 and -1 < found.threshold < 1
    assert all(done <= photos for done, photos in told)
    assert len(facerec.evaluate.calibrate(engine, labelled, fmr=[0.5, 0.4])) == 2
    report = facerec.evaluate.identification(engine, labelled)
    assert (report.persons, report.probes, report.rank1) == (1, 2, 1.0)
    for wrong in (0, 1, 1e-6):
        with pytest.raises(facerec.InvalidArgument):
            facerec.evaluate.calibrate(engine, labelled, fmr=wrong)
    with pytest.raises(facerec.IoError):
        facerec.evaluate.identification(engine, labelled / "missing")


def test_clusters_are_scored_against_the_folders(engine, labelled):
    told = []
    [usual] = facerec.evaluate.clusters(engine, labelled, progress=lambda *now: told.append(now))
    assert (usual.faces, usual.no_face, usual.persons, usual.clusters, usual.mixed) == (4, 0, 2, 2, 0)
    assert usual.pairs == usual.bcubed == (1, 1, 1)
    assert usual.threshold == pytest.approx(engine.identify_threshold) and usual.strict_step > 0
    assert all(done <= all_of_them for done, all_of_them in told)
    one, none = facerec.evaluate.clusters(engine, labelled, threshold=[-1, 1], strict_step=0)
    assert (one.clusters, one.mixed, one.pairs[:2]) == (1, 1, (0.5, 1)), "everybody together: 3 of 6 pairs are right"
    assert (none.clusters, none.mixed, none.pairs[:2]) == (4, 0, (1, 0)) and none.strict_step == 0
    assert facerec.evaluate.clusters(engine, labelled, threshold=1, strict_step=0) == [none]
    with pytest.raises(facerec.InvalidArgument):
        facerec.evaluate.clusters(engine, labelled, threshold=2)
    with pytest.raises(facerec.IoError):
        facerec.evaluate.clusters(engine, labelled / "missing")


def test_a_report_has_figures_and_a_page(engine, labelled, tmp_path):
    page, groups, told = tmp_path / "report.html", tmp_path / "groups.csv", []
    groups.write_text("person,office\nobama,president\n")
    report = facerec.evaluate.report(
        {"one": engine, "<two>": engine}, labelled, out=page, groups=groups, progress=lambda *now: told.append(now)
    )
    assert (report.people, report.photos, [pack.pack for pack in report.packs]) == (2, 4, ["one", "<two>"])
    one, two = report.packs
    assert one.verification == two.verification and isinstance(one, facerec.PackReport)
    assert (one.verification.genuine_pairs, one.verification.impostor_pairs, one.verification.eer) == (3, 3, 0)
    assert [point.fmr for point in one.verification.operating_points] == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5])
    assert one.verification.operating_points[0].threshold is None, "three pairs tell nothing of 1e-2"
    assert (one.identification.rank1, one.identification.enrolled, one.identification.mated) == (1, 1, 2)
    assert report.grouping == facerec.Grouping("office", ("president",), 1, 0)
    assert one.groups[0].verification.people == 1 and one.worst.genuine[0].photos[0].person == "obama"
    assert isinstance(one.worst.genuine[0].photos, tuple) and json.loads(json.dumps(report.to_dict()))["photos"] == 4
    assert all(done <= photos for done, photos in told)
    assert "&lt;two&gt;" in page.read_text() and "data:image/jpeg" in page.read_text()
    bare = facerec.evaluate.report(engine, labelled, out=page, pictures=False)
    assert bare.packs[0].worst == facerec.WorstPairs((), ()) and bare.packs[0].pack.endswith(bare.packs[0].embedder.id)
    assert "obama" not in page.read_text() and "data:image" not in page.read_text()
    groups.write_text("person,office\nobama\n")
    with pytest.raises(facerec.InvalidArgument, match="line 2"):
        facerec.evaluate.report(engine, labelled, groups=groups)
    with pytest.raises(facerec.InvalidArgument):
        facerec.evaluate.report({}, labelled)


def test_pairs_are_told_apart(engine, photos, tmp_path):
    for name, files in {"A": ["obama.jpg", "obama2.jpg", "obama3.jpg"], "B": ["biden.jpg"]}.items():
        (tmp_path / name).mkdir()
        for number, file in enumerate(files, 1):
            shutil.copy(photos / "people" / file, tmp_path / name / f"{name}_{number:04}.jpg")
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("2\t1\nA\t1\t2\nA\t1\tB\t1\nA\t2\t3\nA\t2\tB\t1\n")
    report = facerec.evaluate.pairs(engine, pairs, tmp_path)
    assert (report.pairs, report.no_face, report.accuracy, report.eer) == (4, 0, 1.0, 0.0)
    pairs.write_text("nonsense")
    with pytest.raises(facerec.InvalidArgument):
        facerec.evaluate.pairs(engine, pairs, tmp_path)


def test_models_say_where_they_are_and_what_they_may(tmp_path):
    known = {model.id: model for model in facerec.models.list()}
    default = known["centerface"]
    assert default.licence == "MIT" and default.commercial and default.problem is None and default.path.name == "centerface.onnx"
    assert known["w600k-r50"].commercial is False and known["w600k-r50"].licence_source == "content"
    assert facerec.models.path("centerface").name == "centerface.onnx"
    assert facerec.models.folders(models=tmp_path)[0] == tmp_path
    with pytest.raises(facerec.ModelNotFound):
        facerec.models.path("nothing")
    with pytest.raises(facerec.LicenceNotAccepted):
        facerec.models.fetch("w600k-r50", to=tmp_path)
    [there] = facerec.models.fetch("centerface")
    assert there == facerec.models.path("centerface")
    assert facerec.models.verify() == []
    shutil.copy(there, tmp_path / "yunet_2026may.onnx")
    shutil.copy(there, tmp_path / known["yunet-2026may"].file)
    assert [model.problem for model in facerec.models.verify(models=[tmp_path]) if model.id == "yunet-2026may"] == ["checksum_mismatch"]


def test_a_file_keeps_its_licence_under_another_name(shared, tmp_path):
    shutil.copy(shared / "models" / "det_500m_buffalo_sc.onnx", tmp_path / "mine.onnx")
    (tmp_path / "other.onnx").write_text("another file")
    entry = """[[model]]
id = "{0}"
task = "detect"
file = "{0}.onnx"
licence = {{ name = "MIT", url = "none", commercial = true }}
input = {{ size = [640, 640], dynamic = true }}
detect = {{ head = "scrfd", strides = [8, 16, 32] }}
"""
    head = 'schema = 1\nname = "mine"\ntime_ratio = 1.5\n'
    (tmp_path / "mine.toml").write_text(head + entry.format("mine") + entry.format("other"))
    known = {model.id: model for model in facerec.models.list(models=tmp_path)}
    assert (known["mine"].commercial, known["mine"].licence_source) == (False, "content") and "InsightFace" in known["mine"].licence
    assert (known["other"].licence, known["other"].commercial, known["other"].licence_source) == ("MIT", None, "manifest")
    packs = {pack.name: pack for pack in facerec.models.packs(models=tmp_path)}
    mine, default = packs["mine"], packs["default"]
    assert (mine.models, mine.installed, mine.commercial, mine.time_ratio) == (("mine", "other"), True, False, 1.5)
    assert default.installed and default.commercial and default.licences == ("MIT",) and default.lfw_accuracy > 0.99
    assert default.download_bytes > default.bytes > 0


def test_a_folder_of_models_can_be_given(shared, obama):
    engine = facerec.Engine(detector="yunet-2026may", embedder="edgeface-xs", models=shared / "models")
    assert (engine.detector, engine.embedder) == ("yunet-2026may", "edgeface-xs")
    assert engine.embed(obama)[0].embedding.vector.shape == (512,)
    assert numpy.isfinite(engine.embed(obama)[0].embedding.vector).all()
