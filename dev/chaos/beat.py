"""Beat with a wrong clock: `python -m dev.chaos.beat SECONDS -s FILE`."""

from __future__ import annotations

import datetime as dt
import sys

import time_machine
from celery.__main__ import main

offset = dt.timedelta(seconds=float(sys.argv.pop(1)))
sys.argv[0:1] = ["celery", "-A", "config", "beat"]
with time_machine.travel(dt.datetime.now(dt.UTC) + offset, tick=True):
    main()
