#!/usr/bin/env bash
# cronsim 2.8: a range of one value with a step ("2-2/1") runs to the end of the field.
#
# crontab(5) says that a step after a range picks values within the range, so "0 0 2-2/1 * *" fires
# on day 2 of a month only. cronsim treats the one-value range like the bare value, and "2/1" means
# "from 2 to the end": it fires on every day from the 2nd on.
#
# Seen: 2026-01-02, 2026-01-03, 2026-01-04. Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cronsim==2.8
"$folder/venv/bin/python" - <<'PYTHON'
import datetime as dt
import itertools
from cronsim import CronSim

fires = itertools.islice(CronSim("0 0 2-2/1 * *", dt.datetime(2026, 1, 1)), 3)
days = [at.date().isoformat() for at in fires]
print("cronsim 2.8, 0 0 2-2/1 * *:", ", ".join(days))
assert days == ["2026-01-02", "2026-01-03", "2026-01-04"], days
PYTHON
