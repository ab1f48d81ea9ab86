"""Were the promises kept? Asked of the tables and of the Graph sandbox, from outside the product."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connection

from dev.chaos.load import World
from dev.chaos.parts import LEASE
from dev.graph_sandbox.control import SandboxControl
from operations.maintenance.integrity import check_ledger
from operations.models import OperationRun

#: What may still be said about a run after its end.
AFTERWORDS = (
    *("late_write_refused", "retry_given_up", "joined", "published_again", "publish_refused"),
    *("ended", "cancelled", "blocked", "acknowledged"),
)
_EFFECT = re.compile(r"(export [0-9]+ effect [0-9]+) by run ([0-9]+)")
#: Seconds after the last fault within which everything must have ended.
SETTLED = 2 * LEASE + 15


@dataclass
class Verdict:
    """By checker, what breaks its promise; empty where it is kept."""

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


class ActiveTwice:
    """Looks again and again whether two runs of one identity are active; keeps what it has seen."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            try:
                self.seen.update(_ids(_ACTIVE_TWICE))
                self.looks += 1
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
_UNTOLD = """
SELECT run.id::text FROM operation_runs run LEFT JOIN operation_run_events event
    ON event.run_id = run.id AND event.kind IN ('ended', 'cancelled', 'blocked')
WHERE run.status = 'completed' GROUP BY run.id HAVING count(event.id) <> 1
"""
_UNEXPLAINED = """
WITH told AS (
    SELECT (context->>'backup_schedule_id')::bigint AS schedule,
           (COALESCE(context #>> '{missed,first}', context->>'scheduled_for'))::timestamptz AS first,
           (context->>'scheduled_for')::timestamptz AS last
    FROM operation_runs WHERE type = 'backup_schedule.scheduled')
SELECT schedule.id || ' ' || slot FROM backup_schedules schedule,
    generate_series(date_trunc('minute', schedule.created_at) + interval '1 minute',
                    schedule.next_run_at - interval '1 minute', interval '1 minute') slot
WHERE NOT EXISTS (SELECT FROM told WHERE told.schedule = schedule.id
                  AND slot BETWEEN told.first AND told.last)
"""


_REASONS = """
SELECT cause->>'code', count(*) FROM operation_runs, jsonb_array_elements(failure_summary) cause
GROUP BY 1
"""


def is_quiet() -> bool:
    """Whether every run has ended."""
    return not _ids(_NOT_ENDED)


class Judge:
    """Asks the checkers, all of them or one."""

    def __init__(
        self, world: World, graph: SandboxControl, promised: set[int], watch: ActiveTwice
    ) -> None:
        self._effects = Effects(world, graph)
        self._checkers: dict[str, Callable[[], list[str]]] = {
            "nothing is lost": lambda: _ids(_NOT_ENDED) + _vanished(promised),
            "one active run per identity": lambda: sorted(watch.seen),
            "a slot fires once": lambda: _ids(_SLOT_TWICE),
            "every slot is explained": lambda: _ids(_UNEXPLAINED),
            "effects happen once": self._effects.doubled,
            "an ended run has no more effects": self._effects.late,
            "no late write is accepted": lambda: (
                _ids(_LATE_ITEMS) + _ids(_LATE_EVENTS, list(AFTERWORDS))
            ),
            "counts add up": lambda: _ids(_COUNTS),
            "every end is told once": lambda: _ids(_UNTOLD),
            "the ledger's own check is clean": _broken_invariants,
        }

    def one(self, checker: str) -> list[str]:
        """What breaks one promise right now."""
        return self._checkers[checker]()

    def all(self) -> Verdict:
        """What every checker finds; asked when all is over."""
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


def _ids(sql: str, *values: Any) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values) or None)
        return [found for (found,) in cursor.fetchall()]


def _vanished(promised: set[int]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted FROM unnest(%s::bigint[]) wanted"
            " WHERE NOT EXISTS (SELECT FROM operation_runs WHERE id = wanted)",
            [sorted(promised)],
        )
        return [f"{run_id} has no row" for (run_id,) in cursor.fetchall()]


def _broken_invariants() -> list[str]:
    """What the product itself says about its ledger."""
    return [
        f"{result.name}: {result.error or result.offenders}"
        for result in check_ledger()
        if not result.is_kept
    ]


@dataclass(frozen=True)
class Effect:
    """An object that a run has created in the Graph sandbox, and whether the run had ended by then."""

    key: str
    run_id: int
    is_late: bool


class Effects:
    """What the runs have created in the Graph sandbox.

    A run is asked whether it may go on right before each call. What it is in the middle of when its
    process is frozen, nobody can take back: that is one call, and it is told instead of forbidden.
    """

    def __init__(self, world: World, graph: SandboxControl) -> None:
        self._world = world
        self._graph = graph

    def doubled(self) -> list[str]:
        """What has been created twice, by one run or by a run and its retry."""
        excused = set(self.in_flight())
        names = Counter(effect.key for effect in self._all() if effect not in excused)
        return [key for key, count in names.items() if count > 1]

    def late(self) -> list[str]:
        """The effects of ended runs, where they are more than the one call in flight."""
        return [
            f"run {run_id}: {', '.join(effect.key for effect in late)}"
            for run_id, late in self._late().items()
            if len(late) > 1
        ]

    def in_flight(self) -> list[Effect]:
        """The single calls that were under way when their run was ended."""
        return [late[0] for late in self._late().values() if len(late) == 1]

    def _late(self) -> dict[int, list[Effect]]:
        late: dict[int, list[Effect]] = {}
        for effect in self._all():
            if effect.is_late:
                late.setdefault(effect.run_id, []).append(effect)
        return late

    def _all(self) -> list[Effect]:
        ends = dict(OperationRun.objects.values_list("pk", "completed_at"))
        return [
            _effect(found, entry, ends)
            for tenant in self._world.tenants
            for entry in self._graph.objects(tenant.external_id, "named_location")
            if (found := _EFFECT.fullmatch(str(entry.get("displayName"))))
        ]


def _effect(
    found: re.Match[str], entry: dict[str, Any], ends: dict[int, dt.datetime | None]
) -> Effect:
    run_id = int(found[2])
    end, at = ends.get(run_id), dt.datetime.fromisoformat(entry["createdDateTime"])
    return Effect(found[1], run_id, is_late=end is not None and at > end)
