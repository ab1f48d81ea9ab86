"""The expected duration of a run, from earlier runs of its type on its tenant."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection

from operations.models import OperationRun
from web.durations import duration_text

MIN_RUNS = 5
MAX_RUNS = 50
#: A run is unusually slow if it exceeds the 95th percentile by this factor.
SLOW_FACTOR = 1.5

_PERCENTILES = """
SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) FROM (
    SELECT EXTRACT(EPOCH FROM completed_at - started_at)::float AS seconds
    FROM operation_runs
    WHERE tenant_id = %s AND type = %s AND status = 'completed' AND started_at IS NOT NULL
      AND outcome IN ('succeeded', 'partially_succeeded') AND id <> %s
    ORDER BY created_at DESC, id DESC LIMIT %s) AS recent
"""


@dataclass(frozen=True)
class Expectation:
    """The median and the 95th percentile of the duration."""

    usual: dt.timedelta
    slow: dt.timedelta
    from_history: bool

    @property
    def text(self) -> str:
        """A text such as “usually 40 s to 2 min”."""
        usual, slow = duration_text(self.usual), duration_text(self.slow)
        if not self.from_history:
            return f"expected to take about {usual}"
        if usual == slow:
            return f"usually {usual}"
        return f"usually {usual} to {slow}"

    def is_slow(self, duration: dt.timedelta | None) -> bool:
        """Return whether the duration is unusually long."""
        limit = max(self.slow * SLOW_FACTOR, dt.timedelta(seconds=10))
        return duration is not None and duration > limit


def expectation(run: OperationRun) -> Expectation | None:
    """Return the expectation from the latest runs, or from the catalog if there are too few."""
    with connection.cursor() as cursor:
        cursor.execute(_PERCENTILES, [run.tenant_id, run.type, run.pk, MAX_RUNS])
        count, percentiles = cursor.fetchone()
    if count >= MIN_RUNS:
        usual, slow = (dt.timedelta(seconds=seconds) for seconds in percentiles)
        return Expectation(usual, slow, from_history=True)
    if run.expected:
        return Expectation(run.expected, run.expected * 2, from_history=False)
    return None
