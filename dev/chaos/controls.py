"""Negative controls: each takes one promise away, and the campaign must notice.

A checker that has never been seen red proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from operations.delivery import relay
from operations.services import OperationRunService


@dataclass(frozen=True)
class Control:
    """A promise that is taken away: in the database by `sql`, in the code below.

    `faults` are those that make it matter; only these are done, so that chance has no say in
    whether the checker named in `caught_by` gets to see anything.
    """

    caught_by: str
    faults: frozenset[str] = frozenset()
    sql: str = "SELECT 1"


CONTROLS = {
    "fence": Control(
        caught_by="effects happen once",
        faults=frozenset({"messages doubled", "message for an ended run"}),
        sql="DROP TRIGGER runs_move_forward ON operation_runs;"
        " DROP TRIGGER runs_ended_is_final ON operation_runs",
    ),
    "identity": Control(
        caught_by="one active run per identity",
        faults=frozenset({"worker's child killed"}),
        sql="DROP INDEX runs_one_active_per_tenant_identity",
    ),
    "relay": Control(caught_by="nothing is lost", faults=frozenset({"broker killed, all lost"})),
    "slot": Control(
        caught_by="a slot fires once",
        faults=frozenset({"schedules set back"}),
        sql="DROP INDEX runs_slot_once",
    ),
}

_CLAIM_ANYTHING = """
UPDATE operation_runs SET status = 'running', outcome = 'pending', completed_at = NULL, worker = %s,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), next_publish_at = NULL
WHERE id = %s RETURNING id
"""


def break_in_the_database(control: str) -> None:
    """Take away what the control takes away from the tables."""
    if control:
        with connection.cursor() as cursor:
            cursor.execute(CONTROLS[control].sql)


def break_in_this_process(control: str) -> None:
    """Take away what the control takes away from the code."""
    if control == "fence":
        OperationRunService.claim = _claim_anything  # type: ignore[method-assign, assignment]
    elif control == "relay":
        relay.relay_once = _relay_nothing


def _claim_anything(service: OperationRunService, run_id: int, worker: str):  # type: ignore[no-untyped-def]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_ANYTHING, [worker, run_id])
        found = cursor.fetchone()
    return service._fresh(run_id) if found else None  # noqa: SLF001


def _relay_nothing(limit: int = 500) -> int:
    return 0
