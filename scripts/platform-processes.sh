#!/usr/bin/env bash
# The platform as many processes on one machine, without containers: nats-server and PostgreSQL (scripts/platform-servers.sh), and over
# them two detection, two data-processing and two query processes, and one each of gateway, enrolment and forwarder. Each has a data
# folder of its own, so that nothing is shared but through the servers. All of it lies in the given folder.
#
#   scripts/platform-processes.sh start FOLDER    start what does not run, and print where it is and its first key, as shell lines
#   scripts/platform-processes.sh stop FOLDER     end them in order: who takes work before who does it, the servers last
#
#   eval "$(scripts/platform-processes.sh start /tmp/platform)"; curl -H "Authorization: Bearer $KEY" "$BASE_URL/v1/persons"
#
#   FACEREC_PLATFORM    the program (default: target/release/facerec-platform)
#   PORT                where the gateway listens, on 127.0.0.1 (default: a free one). Ports are chosen at the first start in FOLDER
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fail() { echo "platform-processes: $*" >&2; exit 1; }
[ $# = 2 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$2"
folder=$(cd "$2" && pwd)

# Everybody by name, in the order in which they end: a name is a role, with a number where there are two.
names=(gateway enrolment query-1 query-2 forwarder data-processing-1 data-processing-2 detection-1 detection-2)

# Whether NAME runs. Its number may belong to another process by now, which has not our folder in its command line.
runs() {
  [ -e "$folder/$1.pid" ] && grep -qzxF -- "$folder/$1" "/proc/$(cat "$folder/$1.pid")/cmdline" 2>/dev/null
}

# Free ports that are not those of outgoing connections, which come and go: one for each of the words.
choose_ports() {
  python3 - "$@" <<'PYTHON'
import random, socket, sys
held = []
for word in sys.argv[1:]:
    while True:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randrange(20000, 30000)))
        except OSError:
            continue
        held.append(one)
        print(f"{word}={one.getsockname()[1]}")
        break
PYTHON
}

start_one() {
  local name=$1
  runs "$name" && return
  # What it says on standard output, the first key among it, is apart from its log, and nobody else's.
  (umask 077 && : >"$folder/$name.said")
  setsid "$program" "${name%-[0-9]}" --config "$folder/platform.toml" --data "$folder/$name" "${@:2}" \
    >"$folder/$name.said" 2>>"$folder/$name.log" </dev/null &
  echo $! >"$folder/$name.pid"
}

# Waits until NAME has said that it works, however slow the machine is, for five minutes at most.
await() {
  for _ in $(seq 3000); do
    grep -q '^facerec-platform: ' "$folder/$1.said" && return
    # Not `runs`: between fork and exec it has not its own command line yet.
    kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null || { tail -n 20 "$folder/$1.log" >&2; fail "$1 ended; its log is $folder/$1.log"; }
    sleep 0.1
  done
  fail "$1 does not start within five minutes; its log is $folder/$1.log"
}

start() {
  local program=${FACEREC_PLATFORM:-${CARGO_TARGET_DIR:-$root/target}/release/facerec-platform}
  [ -x "$program" ] || fail "no program \`$program\`: build it with \`make platform\`, or set FACEREC_PLATFORM"
  local home=${FACEREC_HOME:-$root/.facerec}
  export FACEREC_MODELS=${FACEREC_MODELS:-$home/models} RUST_LOG=${RUST_LOG:-info}

  if [ ! -e "$folder/ports" ]; then
    choose_ports nats postgres gateway detection_1 detection_2 processing_1 processing_2 >"$folder/ports.new"
    mv "$folder/ports.new" "$folder/ports"
  fi
  local nats postgres gateway detection_1 detection_2 processing_1 processing_2
  # shellcheck disable=SC1091 # lines as `nats=20001`, made above
  . "$folder/ports"
  gateway=${PORT:-$gateway}

  # Started by root, PostgreSQL runs as `nobody`, who must come to its folder.
  [ "$(id -u)" != 0 ] || chmod a+x "$folder"
  local settings
  settings=$(NATS_PORT=$nats POSTGRES_PORT=$postgres "$root/scripts/platform-servers.sh" start "$folder/servers")
  eval "$settings"
  cat >"$folder/platform.toml" <<TOML
web = "$root/examples/platform/client/out"
detection = "http://127.0.0.1:$detection_1,http://127.0.0.1:$detection_2"
data_processing = "http://127.0.0.1:$processing_1,http://127.0.0.1:$processing_2"
TOML
  start_one detection-1 --grpc-listen "127.0.0.1:$detection_1"
  start_one detection-2 --grpc-listen "127.0.0.1:$detection_2"
  start_one data-processing-1 --grpc-listen "127.0.0.1:$processing_1"
  start_one data-processing-2 --grpc-listen "127.0.0.1:$processing_2"
  # The others ask these which models they have, and give up after a while.
  for name in detection-1 detection-2 data-processing-1 data-processing-2; do await "$name"; done
  start_one gateway --listen "127.0.0.1:$gateway"
  for name in enrolment query-1 query-2 forwarder; do start_one "$name"; done
  for name in "${names[@]}"; do await "$name"; done

  local key
  key=$(sed -n 's,^facerec-platform: first API key.*: ,,p' "$folder/gateway.said")
  [ -z "$key" ] || (umask 077 && echo "$key" >"$folder/key")
  [ -e "$folder/key" ] || fail "the gateway did not say a first key, and none was kept in $folder/key"
  sed -n 's,^facerec-platform: \(http.*\)/$,export BASE_URL=\1,p' "$folder/gateway.said"
  echo "export KEY=$(cat "$folder/key")"
}

stop() {
  local name
  for name in "${names[@]}"; do
    runs "$name" || continue
    kill "$(cat "$folder/$name.pid")"
    # A worker may finish what it looks at.
    for _ in $(seq 600); do runs "$name" || continue 2; sleep 0.1; done
    fail "$name does not end within a minute; its log is $folder/$name.log"
  done
  "$root/scripts/platform-servers.sh" stop "$folder/servers"
}

case $1 in
  start) start ;;
  stop) stop ;;
  *) fail "unknown command \`$1\`: start or stop" ;;
esac
