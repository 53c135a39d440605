"""Collects the licences of what is compiled into a package: Rust crates (with the C and C++ code inside them) and models.

    licences.py CARGO_TOML MODEL_PACK OUT_FOLDER
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tomllib

MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify,
merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished
to do so, subject to the following conditions: The above copyright notice and this permission notice shall be included in all copies
or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT
SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def crates(manifest: str) -> str:
    """Every crate that is linked in, with the licence texts it brings, each text once."""
    command = ["cargo", "metadata", "--format-version=1", "--manifest-path", manifest, "--filter-platform", "x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, open_ids = set(), [metadata["resolve"]["root"]]
    while open_ids:
        package = open_ids.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):  # neither build nor development
                open_ids.append(dependency["pkg"])
    lines, texts = [], {}
    for package in sorted((p for p in metadata["packages"] if p["id"] in found and p["source"]), key=lambda p: p["name"]):
        folder = pathlib.Path(package["manifest_path"]).parent
        files = [f for f in folder.rglob("*") if f.is_file() and f.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "UFL"))]
        numbers = []
        for file in sorted(files):
            text = file.read_text(encoding="utf-8", errors="replace").strip()
            key = hashlib.sha256("".join(text.split()).encode()).digest()
            numbers.append(texts.setdefault(key, (len(texts) + 1, text))[0])
        where = ", ".join(f"[{number}]" for number in sorted(set(numbers))) or "no text in the package"
        lines.append(f"{package['name']} {package['version']}: {package['license']}; {where}")
    body = "\n\n".join(f"[{number}]\n\n{text}" for number, text in texts.values())
    return "Rust crates compiled into this package, and where their licences stand below.\n\n" + "\n".join(lines) + "\n\n" + body + "\n"


def models(pack: str) -> str:
    """The models of a pack, their sources and licence."""
    lines = ["Models in this package, converted to ONNX by models/convert.py, weights unchanged, under the MIT licence as stated by their sources."]
    for model in tomllib.loads(pathlib.Path(pack).read_text(encoding="utf-8"))["model"]:
        source = model["source"][0]
        assert model["licence"]["name"] == "MIT", model["id"]
        lines.append(f"{model['file']}: from {source['path']} of the {source['kind']} package {source['package']} {source['version']}")
    return "\n".join(lines) + "\n\n" + MIT


def main() -> None:
    manifest, pack, out = sys.argv[1:]
    folder = pathlib.Path(out)
    (folder / "rust-crates.txt").write_text(crates(manifest), encoding="utf-8")
    (folder / "models.txt").write_text(models(pack), encoding="utf-8")


if __name__ == "__main__":
    main()
