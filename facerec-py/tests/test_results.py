"""What comes back: values, dicts, tables, pictures, pickles."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import numpy
import pytest

import facerec


@pytest.fixture(scope="module")
def faces(engine, group):
    return engine.embed(group)


def test_a_face_has_a_box_five_landmarks_and_quality(faces, engine):
    assert len(faces) == 6
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    for face in faces:
        left, top, right, bottom = face.box
        assert left < right and top < bottom
        assert len(face.landmarks) == 5
        assert all(left - 20 < x < right + 20 and top - 20 < y < bottom + 20 for x, y in face.landmarks)
        assert 0 < face.quality.score <= 1 and abs(face.quality.yaw) < 90 and face.quality.face_px > 20
        assert face.decision is None and face.person is None and face.similarity is None
    assert all(face.embedding is None for face in engine.detect(faces.image)), "detect makes no vectors"


def test_an_embedding_is_a_unit_vector_of_float32(faces):
    embedding = faces[0].embedding
    assert embedding.vector.dtype == numpy.float32 and embedding.vector.shape == (192,) == (len(embedding),)
    assert numpy.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-6)
    assert numpy.array_equal(numpy.asarray(embedding), embedding.vector)
    assert numpy.asarray(embedding, dtype="float64").dtype == numpy.float64
    assert embedding.model == "mobilefacenet-expo" and len(embedding.model_hash) == 64
    assert embedding.similarity(embedding) == pytest.approx(1)
    other = faces[1].embedding
    assert embedding.similarity(other) == pytest.approx(float(embedding.vector @ other.vector), abs=1e-6)
    assert "192 values" in repr(embedding)
    embedding.vector[0] = 5
    assert embedding.vector[0] != 5, "a copy"


def test_embeddings_of_other_models_are_not_compared(faces):
    stranger = facerec.Embedding(faces[0].embedding.vector, "another", "1")
    assert stranger != faces[0].embedding
    with pytest.raises(facerec.EmbeddingModelMismatch) as caught:
        stranger.similarity(faces[0].embedding)
    assert caught.value.code == "embedding_model_mismatch"


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [float("nan")], [float("inf"), 1.0]])
def test_a_vector_without_direction_is_refused(vector):
    with pytest.raises(facerec.InvalidArgument):
        facerec.Embedding(vector, "mine", "1")


def test_a_vector_must_have_one_dimension():
    with pytest.raises(facerec.InvalidArgument, match="one dimension"):
        facerec.Embedding([[1.0, 2.0]], "mine", "1")
    with pytest.raises(ValueError):
        facerec.Embedding(["a", "b"], "mine", "1")


def test_results_compare_hash_copy_and_pickle_by_value(faces, engine, obama, people):
    with engine.gallery(people, read_only=True) as gallery:
        found = gallery.identify(obama)
        person = gallery.people()[0]
        stats = gallery.stats()
    again = engine.embed(faces.image)
    assert faces == again and hash(faces[0]) == hash(again[0]) and faces[0] != faces[1]
    comparison = engine.compare(obama, obama)
    for value in (faces[0], faces[0].quality, faces[0].embedding, found[0], found[0].decision, person, stats, comparison):
        for same in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert same == value and hash(same) == hash(value) and repr(same) == repr(value)
    assert len({*faces, *again}) == 6
    restored = pickle.loads(pickle.dumps(faces))
    assert restored == faces and isinstance(restored, facerec.Faces)


def test_results_are_frozen(faces):
    with pytest.raises(dataclasses.FrozenInstanceError):
        faces[0].score = 1.0
    with pytest.raises(AttributeError):
        faces[0].embedding.vector = None


def test_dicts_are_json_with_the_keys_of_the_command(faces, engine, obama, people):
    plain = json.loads(json.dumps([face.to_dict() for face in faces]))
    assert list(plain[0]) == ["box", "score", "landmarks", "quality", "embedding"]
    assert len(plain[0]["embedding"]) == 192
    with engine.gallery(people, read_only=True) as gallery:
        known = json.loads(json.dumps(gallery.identify(obama)[0].to_dict()))
        assert json.dumps([person.to_dict() for person in gallery.people()])
    assert known["person"] == "Obama" and known["reason"] == "match"
    assert {"similarity", "threshold", "margin", "candidates"} <= set(known) and "embedding" not in known
    assert known["candidates"][0]["person"] == "Obama"


def test_tables(faces, engine, obama, people):
    pandas = pytest.importorskip("pandas")
    table = faces.to_pandas()
    assert isinstance(table, pandas.DataFrame) and len(table) == 6
    assert {"score", "box", "quality_score"} <= set(table.columns)
    with engine.gallery(people, read_only=True) as gallery:
        assert list(gallery.people().to_pandas()["name"]) == ["Biden", "Obama"]
        assert list(gallery.identify(obama).to_pandas()["person"]) == ["Obama"]
    assert len(facerec.Table().to_pandas()) == 0


def test_jupyter_shows_the_marked_picture(faces, engine, obama, rgb):
    import base64
    import io

    from PIL import Image

    html = faces._repr_html_()
    data = html.split("base64,")[1].split('"')[0]
    shown = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    plain = numpy.asarray(Image.open(faces.image).convert("RGB"))
    assert shown.shape == plain.shape and not numpy.array_equal(shown, plain)
    assert html.count("<li>") == 6
    for same in (rgb, rgb[..., ::-1], obama.read_bytes(), Image.fromarray(rgb)):
        bgr = isinstance(same, numpy.ndarray) and same is not rgb
        assert "base64" in engine.detect(same, bgr=bgr)._repr_html_()
    with obama.open("rb") as file:
        assert engine.detect(file)._repr_html_() is None, "a file that was read cannot be shown"
    assert facerec.Faces()._repr_html_() is None


def test_a_name_cannot_break_the_page(engine, obama, gallery):
    gallery.enroll("<script>alert(1)</script>", obama)
    html = gallery.identify(obama)._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_marks_are_drawn_on_a_copy(engine, rgb):
    before = rgb.copy()
    marked = engine.detect(rgb).annotated()
    assert marked.dtype == numpy.uint8 and marked.shape == rgb.shape
    assert numpy.array_equal(rgb, before) and not numpy.array_equal(marked, before)


def test_a_jpeg_is_a_jpeg(rgb):
    small, large = facerec.jpeg(rgb, quality=20), facerec.jpeg(rgb)
    assert small[:2] == b"\xff\xd8" and len(small) < len(large)


def test_comparison_is_true_for_the_same_person(engine, photos):
    same = engine.compare(photos / "people" / "obama.jpg", photos / "people" / "obama2.jpg")
    other = engine.compare(photos / "people" / "obama.jpg", photos / "people" / "biden.jpg")
    assert same and same.same and same.similarity > same.threshold == pytest.approx(engine.threshold)
    assert not other and other.similarity < other.threshold
    nobody = engine.compare(numpy.zeros((64, 64, 3), "uint8"), photos / "people" / "obama.jpg")
    assert nobody.similarity is None and nobody.a is None and nobody.b is not None and not nobody
