"""Negative controls: each removes one guard, and the campaign must detect it.

They prove that the checkers can fail.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from operations.delivery import relay
from operations.services import OperationRunService


@dataclass(frozen=True)
class Control:
    """A guard that is removed: in the database by `sql`, in the process by `break_process`.

    Only `faults` are injected, so that the checker named in `caught_by` reliably detects it.
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
        caught_by="a slot starts once",
        faults=frozenset({"schedules set back"}),
        sql="DROP INDEX runs_slot_once",
    ),
}

_CLAIM_UNCONDITIONALLY = """
UPDATE operation_runs SET status = 'running', outcome = 'pending', completed_at = NULL, worker = %s,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), next_publish_at = NULL
WHERE id = %s RETURNING id
"""


def break_database(control: str) -> None:
    """Remove the guard of the control from the database."""
    if control:
        with connection.cursor() as cursor:
            cursor.execute(CONTROLS[control].sql)


def break_process(control: str) -> None:
    """Remove the guard of the control from the code of this process."""
    if control == "fence":
        OperationRunService.claim = _claim_unconditionally  # type: ignore[method-assign, assignment]
    elif control == "relay":
        relay.relay_once = lambda limit=500: 0


def _claim_unconditionally(service: OperationRunService, run_id: int, worker: str):  # type: ignore[no-untyped-def]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_UNCONDITIONALLY, [worker, run_id])
        is_claimed = cursor.fetchone() is not None
    return service._load(run_id) if is_claimed else None  # noqa: SLF001
