"""A gallery on a PostgreSQL server: its address where a folder would stand."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import facerec
from conftest import ROOT


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a database of our own."""
    with subprocess.Popen([ROOT / "scripts" / "postgres-server.sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        address = program.stdout.readline().strip()
        if not address and program.wait() == 3 and "CI" not in os.environ:
            warnings.warn("SKIPPED: no PostgreSQL; scripts/postgres.sh gets it", stacklevel=1)
            pytest.skip("no PostgreSQL")
        assert address, "the server does not start, see its words above; scripts/setup.sh --tests installs it"
        yield address  # leaving the block closes its standard input, which ends it


def test_a_gallery_on_a_server_is_like_one_in_a_folder(engine, server, photos, obama, clip, tmp_path):
    address = f"{server}?gallery=people"
    with engine.gallery(address, actor="the registrar") as gallery:
        assert gallery.enroll("Obama", obama, metadata='{"site": "north"}')
        assert gallery.path == address and address in repr(gallery)
        # Others write at the same time, and their changes are seen at once.
        with facerec.Gallery.open(gallery.path) as other:
            other.rename("Obama", "Barack")
            assert engine.enroll(gallery, "Biden", photos / "people" / "biden.jpg")
            assert [person.name for person in other.people()] == ["Barack", "Biden"]
        found = gallery.identify(photos / "people" / "obama2.jpg")
        assert [face.person for face in found] == ["Barack"]
        assert [one.person for one in gallery.search(gallery.embedding(1), only=["Biden"])] == ["Biden"]
        stats = gallery.stats()
        assert (stats.persons, stats.faces, stats.index_kind, stats.recall) == (2, 2, "pgvector-exact", 1.0)
        assert (stats.tombstones, stats.index_bytes_per_face, stats.index_building, stats.encrypted) == (0, 0, False, False)
        log = {entry.action: entry.actor for entry in gallery.audit()}
        assert log["create"] == log["add"] == "the registrar" and log["rename"] != "the registrar"
        assert gallery.verify()
        assert gallery.export(tmp_path / "export.jsonl") == 2
    assert {seen.person for seen in engine.video(clip, address)} == {"Barack", "Biden"}
    with engine.gallery(tmp_path / "folder") as copy:
        assert copy.import_(tmp_path / "export.jsonl").faces == 2
    with engine.gallery(address) as gallery:
        assert gallery.remove("Barack") == 1
        assert gallery.identify(obama)[0].person is None


def test_a_graph_is_asked_for_by_the_kind_of_index(engine, server, obama):
    address = f"{server}?gallery=graph"
    with engine.gallery(address, index="hnsw") as gallery:
        gallery.enroll("Obama", obama)
        assert (gallery.stats().index_kind, gallery.stats().recall) == ("pgvector-hnsw", None)
        assert gallery.identify(obama)[0].person == "Obama"
    with engine.gallery(address, index="flat", read_only=True) as gallery:
        assert gallery.stats().index_kind == "pgvector-exact"
    for options in ({"index": "ivf"}, {"key": bytes(32)}):
        with pytest.raises(facerec.InvalidArgument):
            engine.gallery(address, **options)


def test_what_is_wrong_with_an_address_is_told_without_its_password(engine, server):
    with pytest.raises(facerec.InvalidArgument, match="pass it as text"):
        engine.gallery(Path(f"{server}?gallery=x"))
    with pytest.raises(facerec.IoError):
        engine.gallery(f"{server}?gallery=nobody", create=False)
    with pytest.raises(facerec.IoError) as caught:
        engine.gallery("postgres://facerec:open-sesame@127.0.0.1:9/postgres?gallery=x&timeout_s=1")
    assert "sesame" not in str(caught.value) + repr(caught.value.filename)
    with engine.gallery(server.replace("facerec@", "facerec:open-sesame@") + "?gallery=secret") as gallery:
        assert "sesame" not in str(gallery.path) + repr(gallery)
