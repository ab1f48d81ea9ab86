"""Negative controls: each takes one promise away, and the campaign must notice.

A checker that has never been seen red proves nothing.
"""

from __future__ import annotations

from django.db import connection

from operations import publishing
from operations.services import OperationRunService

#: What is taken away from the database of the campaign.
SQL = {
    "fence": "DROP TRIGGER runs_move_forward ON operation_runs;"
    " DROP TRIGGER runs_ended_is_history ON operation_runs",
    "identity": "DROP INDEX runs_one_active_per_tenant_identity",
    "relay": "SELECT 1",
    "slot": "DROP INDEX runs_slot_fires_once",
}
#: The checkers of which at least one must go red.
CAUGHT_BY = {
    "fence": {"effects happen once"},
    "identity": {"one active run per identity"},
    "relay": {"nothing is lost"},
    "slot": {"a slot fires once"},
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
            cursor.execute(SQL[control])


def break_in_this_process(control: str) -> None:
    """Take away what the control takes away from the code."""
    if control == "fence":
        OperationRunService.claim = _claim_anything  # type: ignore[method-assign, assignment]
    elif control == "relay":
        publishing.relay_once = _relay_nothing


def _claim_anything(service: OperationRunService, run_id: int, worker: str):  # type: ignore[no-untyped-def]
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_ANYTHING, [worker, run_id])
        found = cursor.fetchone()
    return service._fresh(run_id) if found else None  # noqa: SLF001


def _relay_nothing(limit: int = 500) -> int:
    return 0
