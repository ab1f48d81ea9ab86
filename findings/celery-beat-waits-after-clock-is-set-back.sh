#!/usr/bin/env bash
# Celery 5.6.3: beat sends nothing for as long as the clock was set back.
#
# An entry "every 30 seconds" is expected every 30 seconds whatever the wall clock says, as of a timer.
# beat computes each wait from the time at which the entry was last sent. When a clock that was an
# hour ahead is corrected, that time is in the future, and the entry waits for an hour and 30 seconds
# without a warning in the log. A restart does not help: the schedule file keeps the time.
#
# The clock is that of the application (`Celery.now`); nothing waits and nothing is sent.
# With kombu 5.7.0.
#
# Seen: seconds until the entry is due
#   just started: 30
#   10 seconds later: 20
#   after the clock was set back by an hour: 3630
#   half an hour later: 1830
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.6.3 kombu==5.7.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import datetime as dt

from celery import Celery
from celery.beat import PersistentScheduler

clock = dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.timezone.utc)


class App(Celery):
    def now(self):
        return clock


def seconds_until_due():
    """Load the schedule from its file, as beat does when it starts."""
    scheduler = PersistentScheduler(app, schedule_filename="schedule")
    due = scheduler.schedule["check"].is_due()
    scheduler.close()
    return 0 if due.is_due else round(due.next)


app = App(broker="memory://")
app.conf.beat_schedule = {"check": {"task": "check", "schedule": 30.0}}
seen = {"just started": seconds_until_due()}
clock += dt.timedelta(seconds=10)
seen["10 seconds later"] = seconds_until_due()
clock -= dt.timedelta(hours=1, seconds=10)
seen["after the clock was set back by an hour"] = seconds_until_due()
clock += dt.timedelta(minutes=30)
seen["half an hour later"] = seconds_until_due()
for when, seconds in seen.items():
    print(f"{when}: {seconds}")
assert list(seen.values()) == [30, 20, 3630, 1830], seen
PYTHON
