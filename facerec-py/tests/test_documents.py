"""What is written is true: docstrings, README, examples, notebook, stubs."""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facerec
from conftest import ROOT

EXAMPLES = ROOT / "examples" / "python"
BUDGETS = {"detect": 3, "compare": 3, "enroll_identify": 6, "video": 4}


def test_every_example_in_a_docstring_runs(engine, photos, clip, tmp_path):
    names = {"facerec": facerec, "engine": engine, "photos": photos, "clip": clip}
    finder, runner, tried = doctest.DocTestFinder(), doctest.DocTestRunner(), set()
    for module in (facerec, facerec.models, facerec.evaluate, facerec._errors, facerec._results):
        for test in finder.find(module, extraglobs=names):
            test.globs["folder"] = tmp_path / test.name
            tried |= {test.name} if test.examples else set()
            runner.run(test)
    assert runner.failures == 0
    assert {"facerec", "facerec.Engine.detect", "facerec.Gallery.identify", "facerec.Embedding", "facerec._errors"} <= tried


def test_everything_public_is_documented():
    missing = []
    for name in facerec.__all__:
        item = getattr(facerec, name)
        if name.startswith("__"):
            continue
        missing += [name] if not (item.__doc__ or "").strip() else []
        if inspect.isclass(item) and item.__module__.startswith("facerec"):
            own = [member for member in vars(item) if not member.startswith("_")]
            fields = getattr(item, "__dataclass_fields__", {})
            missing += [f"{name}.{one}" for one in own if one not in fields and not getattr(item, one).__doc__ and one != "code"]
    assert not missing


def code_lines(text: str) -> int:
    """Statements, without docstrings, imports of the standard library, and printing what was found."""
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    printing = [node for node in statements if ast.unparse(node).startswith(("print(", "'", "import sys"))]
    return len(statements) - len(printing)


@pytest.mark.parametrize("name", BUDGETS)
def test_an_example_runs_within_its_lines(name, photos, people, clip, tmp_path):
    path = EXAMPLES / f"{name}.py"
    assert code_lines(path.read_text()) <= BUDGETS[name]
    a, b = photos / "people" / "obama.jpg", photos / "people" / "obama2.jpg"
    args = {"detect": [a], "compare": [a, b], "enroll_identify": [tmp_path / "gallery", "Ana", a, b], "video": [clip, people]}[name]
    said = subprocess.run([sys.executable, str(path), *map(str, args)], capture_output=True, text=True, check=True).stdout
    assert {"detect": "Face(", "compare": "same person: True", "enroll_identify": "Ana", "video": "Obama"}[name] in said
    assert name != "video" or "Biden" in said


@pytest.mark.parametrize("file", ["README.md", "facerec-py/README.md"])
def test_the_python_of_a_readme_runs(file, photos, clip, tmp_path, monkeypatch):
    """Its files are ours, under the names it uses."""
    people = photos / "people"
    for name, source in {"group": photos / "strangers" / "t1.jpg", "a": people / "obama.jpg", "b": people / "obama2.jpg",
                         "ana": people / "obama.jpg", "party": people / "obama3.jpg"}.items():  # fmt: skip
        (tmp_path / f"{name}.jpg").symlink_to(source)
    (tmp_path / "party.mp4").symlink_to(clip)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, file, "exec"), names)


def test_the_notebook_runs(photos, clip, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PHOTOS", str(photos))
    monkeypatch.setenv("CLIP", str(clip))
    notebook = nbformat.read(EXAMPLES / "facerec.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output.get("data", {}).get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("data:image/jpeg" in html for html in shown) >= 3
    assert any("Biden" in html and "Obama" in html for html in shown)


def test_the_stubs_are_those_of_the_module():
    pytest.importorskip("mypy")
    for command in (["mypy.stubtest", "facerec._core"], ["mypy", "--strict", "-p", "facerec"]):
        result = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_examples_and_package_are_strictly_typed():
    """pyright comes from npm; FACEREC_PYRIGHT names it."""
    pyright = os.environ.get("FACEREC_PYRIGHT")
    if not pyright:
        pytest.skip("FACEREC_PYRIGHT is not set")
    config = Path(__file__).with_name("pyrightconfig.json")
    result = subprocess.run([pyright, "--pythonpath", sys.executable, "-p", str(config)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
