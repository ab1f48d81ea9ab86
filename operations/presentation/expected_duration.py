"""The expected duration of a run, from earlier runs of its type on its tenant."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from operations.models import OperationRun, OperationRunQuerySet
from operations.states import RunStatus
from tenancy.clock import request_now
from tenancy.db import run_prepared
from web.durations import duration_text

MIN_RUNS = 5
MAX_RUNS = 50
#: A run is unusually slow if it exceeds the 95th percentile by this factor.
SLOW_FACTOR = 1.5
#: The number of running runs, the oldest first, that are compared with earlier ones.
MAX_RUNNING = 50
#: The share of its items that is processed before the rate alone says when a run ends.
MIN_DONE = 0.05

# One index lookup for each run.
_PERCENTILES = """
SELECT run.id, past.count, past.percentiles
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS run(id, tenant_id, type)
CROSS JOIN LATERAL (
    SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds) AS percentiles
    FROM (
        SELECT EXTRACT(EPOCH FROM completed_at - started_at)::float AS seconds
        FROM operation_runs
        WHERE tenant_id = run.tenant_id AND type = run.type AND status = 'completed'
          AND started_at IS NOT NULL AND outcome IN ('succeeded', 'partially_succeeded')
          AND id <> run.id
        ORDER BY created_at DESC, id DESC LIMIT %s) AS recent) AS past
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
    return expectations([run]).get(run.pk)


def expectations(runs: Sequence[OperationRun]) -> dict[int, Expectation]:
    """Return the expectation of each run that has one, by id, in one query."""
    columns = [[getattr(run, name) for run in runs] for name in ("pk", "tenant_id", "type")]
    rows = run_prepared(_PERCENTILES, [*columns, MAX_RUNS])
    history = {run_id: (count, seconds) for run_id, count, seconds in rows}
    by_run = {}
    for run in runs:
        count, percentiles = history[run.pk]
        if count >= MIN_RUNS:
            usual, slow = (dt.timedelta(seconds=seconds) for seconds in percentiles)
            by_run[run.pk] = Expectation(usual, slow, from_history=True)
        elif run.expected:
            by_run[run.pk] = Expectation(run.expected, run.expected * 2, from_history=False)
    return by_run


def expected_end(run: OperationRun, expected: Expectation | None) -> dt.datetime | None:
    """Return when a running run should end, or None if neither its rate nor earlier runs say so.

    The more of its items are processed, the more its rate counts, and the less what is usual.
    """
    if run.started_at is None or not run.is_running or run.cancel_requested_at:
        return None
    counts, elapsed = run.counts, request_now() - run.started_at
    done = min(counts.processed / counts.total, 1.0) if counts.total else 0.0
    usual = None
    if expected:
        # A run that has outlasted what is usual is not expected to end now, but as the slow ones do.
        usual = next((each for each in (expected.usual, expected.slow) if each > elapsed), None)
    if usual and done:
        weight = math.sqrt(done)
        return run.started_at + weight * elapsed / done + (1 - weight) * usual
    if usual:
        return run.started_at + usual
    return run.started_at + elapsed / done if done >= MIN_DONE else None


@dataclass(frozen=True)
class SlowRun:
    """A running run that takes unusually long, and what was expected of it."""

    run: OperationRun
    expectation: Expectation


def longest_running(runs: OperationRunQuerySet) -> list[OperationRun]:
    """Return the running runs that were requested first, as many as are compared."""
    running = runs.filter(status=RunStatus.RUNNING)
    return list(running.order_by("created_at", "id")[:MAX_RUNNING])


def slow_runs(running: Sequence[OperationRun]) -> list[SlowRun]:
    """Return those running runs that take unusually long, the longest first."""
    if not running:
        return []
    expected = expectations(running)
    slow = [
        SlowRun(run, expected[run.pk])
        for run in running
        if run.pk in expected and expected[run.pk].is_slow(run.duration)
    ]
    return sorted(slow, key=lambda each: each.run.started_at or each.run.created_at)
