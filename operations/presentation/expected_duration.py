"""How long such a run usually takes, judged by those before it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection

from operations.models import OperationRun
from web.durations import duration_text

ENOUGH = 5
LOOK_BACK = 50
#: Beyond the slowest twentieth by this much, a run is unusually slow.
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
    """From the usual duration to the slowest twentieth."""

    usual: dt.timedelta
    slow: dt.timedelta
    from_history: bool

    @property
    def text(self) -> str:
        """“usually 40 s to 2 min”, or what the catalog says."""
        usual, slow = duration_text(self.usual), duration_text(self.slow)
        if not self.from_history:
            return f"expected to take about {usual}"
        return f"usually {usual}" if usual == slow else f"usually {usual} to {slow}"

    def is_slow(self, duration: dt.timedelta | None) -> bool:
        """Whether this takes, or took, unusually long."""
        patience = max(self.slow * SLOW_FACTOR, dt.timedelta(seconds=10))
        return duration is not None and duration > patience


def expectation(run: OperationRun) -> Expectation | None:
    """By the last runs of the type on the tenant; by the catalog while there are too few."""
    count, percentiles = _history(run)
    if count >= ENOUGH:
        usual, slow = (dt.timedelta(seconds=seconds) for seconds in percentiles)
        return Expectation(usual, slow, from_history=True)
    if run.expected:
        return Expectation(run.expected, run.expected * 2, from_history=False)
    return None


def _history(run: OperationRun) -> tuple[int, list[float]]:
    with connection.cursor() as cursor:
        cursor.execute(_PERCENTILES, [run.tenant_id, run.type, run.pk, LOOK_BACK])
        count, percentiles = cursor.fetchone()
    return count, percentiles or []
