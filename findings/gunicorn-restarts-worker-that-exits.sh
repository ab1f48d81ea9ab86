#!/usr/bin/env bash
# gunicorn 27.0.1: an application that exits while it is loaded is started again without end.
#
# A worker that cannot load its application ends gunicorn: with an exception the worker has exit code
# 3, on which gunicorn stops, so that a supervisor reports it. SystemExit, the usual way of a program
# to end with a message (`sys.exit("DATABASE_URL is missing")`), is expected to end it as well. But
# gunicorn passes it on: the worker has exit code 1 like one that crashed later, and another one takes
# its place at once, without a pause. The process lives, and a supervisor finds nothing to report.
#
# Two applications that differ in their exception; each writes a line whenever it is loaded.
#
# Seen:
#   RuntimeError: loaded once, gunicorn ended with 3
#   SystemExit: loaded more than 5 times, gunicorn still runs
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gunicorn==27.0.1 packaging==26.3
cd "$folder"
export HOME="$folder"
for exception in RuntimeError SystemExit; do
  cat >"$exception.py" <<PYTHON
with open("$exception.loaded", "a") as file:
    file.write("loaded\n")
raise $exception("DATABASE_URL is missing")
PYTHON
done
loaded() { if [ -e "$1.loaded" ]; then wc -l <"$1.loaded"; else echo 0; fi; }

status=0
venv/bin/gunicorn --bind "unix:$folder/one" RuntimeError:app >one.log 2>&1 || status=$?
echo "RuntimeError: loaded $(loaded RuntimeError) time, gunicorn ended with $status"

venv/bin/gunicorn --bind "unix:$folder/two" SystemExit:app >two.log 2>&1 &
server=$!
trap 'kill -9 $server 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 600); do
  [ "$(loaded SystemExit)" -le 5 ] || break
  kill -0 $server 2>/dev/null || break
  sleep 0.1
done
runs=ended
kill -0 $server 2>/dev/null && runs="still runs"
echo "SystemExit: loaded $(loaded SystemExit) times, gunicorn $runs"
kill -TERM $server 2>/dev/null || true
wait $server || true
[ "$(loaded RuntimeError) $status" = "1 3" ]
[ "$(loaded SystemExit)" -gt 5 ] && [ "$runs" = "still runs" ]
