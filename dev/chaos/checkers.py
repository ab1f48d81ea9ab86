"""The checkers of a campaign: they query the tables and the Graph sandbox from outside the product."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connection

from dev.chaos.cluster import LEASE
from dev.chaos.load import World
from dev.graph_sandbox.control import SandboxControl
from operations.maintenance.integrity import check_ledger
from operations.models import OperationRun

#: The kinds of events that may follow the end of a run.
EVENTS_AFTER_END = (
    *("late_write_refused", "retry_given_up", "joined", "published_again", "publish_refused"),
    *("ended", "cancelled", "blocked", "acknowledged"),
)
_EFFECT = re.compile(r"(export [0-9]+ effect [0-9]+) by run ([0-9]+)")
#: Seconds after the last fault within which everything must have ended.
SETTLED = 2 * LEASE + 15


@dataclass
class Verdict:
    """The results of a campaign; `broken` has the offenders by checker."""

    broken: dict[str, list[str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    refused_late: int = 0
    in_flight: int = 0

    @property
    def is_kept(self) -> bool:
        return not any(self.broken.values())

    def count(self, checker: str) -> int:
        return len(self.broken[checker])


class IdentityWatcher:
    """Checks in a thread, again and again, whether two runs of one identity are active."""

    def __init__(self) -> None:
        self.offenders: set[str] = set()
        self.checks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.2):
            try:
                self.offenders.update(_query(_ACTIVE_TWICE))
                self.checks += 1
            except Error:
                connection.close()
        connection.close()


_ACTIVE_TWICE = """
SELECT string_agg(id::text, ' and ' ORDER BY id) FROM operation_runs
WHERE status IN ('queued', 'running')
GROUP BY tenant_id, workspace_id, run_identity_hash HAVING count(*) > 1
"""
_NOT_ENDED = "SELECT id || ' ' || status FROM operation_runs WHERE status <> 'completed'"
_SLOT_TWICE = """
SELECT string_agg(id::text, ' and ') FROM operation_runs WHERE type = 'backup_schedule.scheduled'
GROUP BY context->>'backup_schedule_id', context->>'scheduled_for' HAVING count(*) > 1
"""
_LATE_ITEMS = """
SELECT run.id || ' item ' || item.key FROM operation_runs run
JOIN operation_run_items item ON item.run_id = run.id WHERE item.at > run.completed_at
"""
_LATE_EVENTS = """
SELECT run.id || ' ' || event.kind FROM operation_runs run
JOIN operation_run_events event ON event.run_id = run.id
WHERE event.at > run.completed_at AND event.kind <> ALL(%s)
"""
_COUNTS = """
SELECT id::text FROM operation_runs WHERE COALESCE((summary_counts->>'processed')::int, 0) <>
    COALESCE((summary_counts->>'succeeded')::int, 0) + COALESCE((summary_counts->>'failed')::int, 0)
    + COALESCE((summary_counts->>'skipped')::int, 0)
"""
_NO_SINGLE_END_EVENT = """
SELECT run.id::text FROM operation_runs run LEFT JOIN operation_run_events event
    ON event.run_id = run.id AND event.kind IN ('ended', 'cancelled', 'blocked')
WHERE run.status = 'completed' GROUP BY run.id HAVING count(event.id) <> 1
"""
_UNEXPLAINED = """
WITH explained AS (
    SELECT (context->>'backup_schedule_id')::bigint AS schedule,
           (COALESCE(context #>> '{missed,first}', context->>'scheduled_for'))::timestamptz AS first,
           (COALESCE(context #>> '{repeated,last}', context->>'scheduled_for'))::timestamptz AS last
    FROM operation_runs WHERE type = 'backup_schedule.scheduled')
SELECT schedule.id || ' ' || slot FROM backup_schedules schedule,
    generate_series(date_trunc('minute', schedule.created_at) + interval '1 minute',
                    schedule.next_run_at - interval '1 minute', interval '1 minute') slot
WHERE NOT EXISTS (SELECT FROM explained WHERE explained.schedule = schedule.id
                  AND slot BETWEEN explained.first AND explained.last)
"""


_REASONS = """
SELECT cause->>'code', count(*) FROM operation_runs, jsonb_array_elements(failure_summary) cause
GROUP BY 1
"""


def is_quiet() -> bool:
    """Whether every run has ended."""
    return not _query(_NOT_ENDED)


class Checkers:
    """Checks the promises, all of them or one."""

    def __init__(
        self, world: World, graph: SandboxControl, created_ids: set[int], watcher: IdentityWatcher
    ) -> None:
        self._effects = Effects(world, graph)
        self._checkers: dict[str, Callable[[], list[str]]] = {
            "nothing is lost": lambda: _query(_NOT_ENDED) + _missing_rows(created_ids),
            "one active run per identity": lambda: sorted(watcher.offenders),
            "a slot starts once": lambda: _query(_SLOT_TWICE),
            "every slot is explained": lambda: _query(_UNEXPLAINED),
            "effects happen once": self._effects.duplicates,
            "an ended run has no more effects": self._effects.late,
            "no late write is accepted": lambda: (
                _query(_LATE_ITEMS) + _query(_LATE_EVENTS, list(EVENTS_AFTER_END))
            ),
            "counts add up": lambda: _query(_COUNTS),
            "every end has one event": lambda: _query(_NO_SINGLE_END_EVENT),
            "check_ledger reports nothing": _broken_invariants,
        }

    def run(self, checker: str) -> list[str]:
        """Return the current offenders of one promise."""
        return self._checkers[checker]()

    def run_all(self) -> Verdict:
        """Run every checker and collect the numbers; call it after the campaign."""
        verdict = Verdict({name: check() for name, check in self._checkers.items()})
        with connection.cursor() as cursor:
            cursor.execute("SELECT outcome, count(*) FROM operation_runs GROUP BY outcome")
            verdict.outcomes = Counter(dict(cursor.fetchall()))
            cursor.execute(_REASONS)
            verdict.reasons = Counter(dict(cursor.fetchall()))
            cursor.execute(
                "SELECT extract(epoch FROM completed_at - created_at)::float FROM operation_runs"
                " WHERE status = 'completed' ORDER BY 1"
            )
            verdict.seconds = [seconds for (seconds,) in cursor.fetchall()]
            cursor.execute(
                "SELECT count(*) FROM operation_run_events WHERE kind = 'late_write_refused'"
            )
            (verdict.refused_late,) = cursor.fetchone()
        verdict.in_flight = len(self._effects.in_flight())
        return verdict


def _query(sql: str, *values: Any) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values) or None)
        return [value for (value,) in cursor.fetchall()]


def _missing_rows(created_ids: set[int]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id FROM unnest(%s::bigint[]) run_id"
            " WHERE NOT EXISTS (SELECT FROM operation_runs WHERE id = run_id)",
            [sorted(created_ids)],
        )
        return [f"{run_id} has no row" for (run_id,) in cursor.fetchall()]


def _broken_invariants() -> list[str]:
    """Return what the product's own `check_ledger` reports."""
    return [
        f"{result.name}: {result.error or result.offenders}"
        for result in check_ledger()
        if not result.is_kept
    ]


@dataclass(frozen=True)
class Effect:
    """An object that a run created in the Graph sandbox; it is late if the run had already ended."""

    key: str
    run_id: int
    is_late: bool


class Effects:
    """The objects that the runs created in the Graph sandbox.

    A run checks before each call whether it is still active. A call that is in flight when its
    process is frozen cannot be withdrawn. So one late call per run is reported but allowed.
    """

    def __init__(self, world: World, graph: SandboxControl) -> None:
        self._world = world
        self._graph = graph

    def duplicates(self) -> list[str]:
        """Return the keys that were created twice, by one run or by a run and its retry."""
        allowed = set(self.in_flight())
        keys = Counter(effect.key for effect in self._load() if effect not in allowed)
        return [key for key, count in keys.items() if count > 1]

    def late(self) -> list[str]:
        """Return the effects of ended runs, if there is more than the one call in flight."""
        return [
            f"run {run_id}: {', '.join(effect.key for effect in effects)}"
            for run_id, effects in self._late_by_run().items()
            if len(effects) > 1
        ]

    def in_flight(self) -> list[Effect]:
        """Return the single calls that were in flight when their run ended."""
        return [effects[0] for effects in self._late_by_run().values() if len(effects) == 1]

    def _late_by_run(self) -> dict[int, list[Effect]]:
        late: dict[int, list[Effect]] = {}
        for effect in self._load():
            if effect.is_late:
                late.setdefault(effect.run_id, []).append(effect)
        return late

    def _load(self) -> list[Effect]:
        ends = dict(OperationRun.objects.values_list("pk", "completed_at"))
        effects = []
        for tenant in self._world.tenants:
            for entry in self._graph.objects(tenant.external_id, "named_location"):
                match = _EFFECT.fullmatch(str(entry.get("displayName")))
                if not match:
                    continue
                run_id, end = int(match[2]), ends.get(int(match[2]))
                at = dt.datetime.fromisoformat(entry["createdDateTime"])
                effects.append(Effect(match[1], run_id, is_late=end is not None and at > end))
        return effects
