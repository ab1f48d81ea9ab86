"""The invariants of the ledger, asked of the database itself.

Constraints and triggers keep most of them, and code the rest; this is how anybody can see that they
hold, and finds out when somebody has been at the tables. Apps register theirs in `integrity.py`.

An invariant is SQL that names the ids of what breaks it. Those over ended runs read the runs of the
last `RECENT_DAYS` by their age and no more; the others read the small partial indexes. Each is
stopped after `SECONDS`, and an invariant that was stopped says so instead of looking kept.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.urls import reverse

from operations.catalog import OperationCatalog
from operations.delivery.publisher import GRACE_SECONDS
from operations.models import InvariantResult
from tenancy.db import database_now
from web.statement_timeout import TookTooLong, statement_timeout

log = logging.getLogger(__name__)

SECONDS = 60.0
RECENT_DAYS = 30
#: So many offenders are named; all are counted, up to the cap.
NAMED, COUNTED = 20, 1000

Parameters = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Invariant:
    """A promise, and what gives the ids of all that breaks it: SQL, or a function where SQL cannot.

    `address` gives the page of an offender. `parameters` are the SQL's; `recent` is among them.
    """

    name: str
    promise: str
    offenders: str | Callable[[], list[int]]
    noun: str = "Run"
    address: Callable[[int], str] = lambda run_id: reverse(
        "admin:operations_operationrun_change", args=[run_id]
    )
    parameters: Parameters = dict


_INVARIANTS: dict[str, Invariant] = {}


def register_invariant(invariant: Invariant) -> None:
    """Make an invariant part of every check.

    Raises:
        ValueError: its name is taken.
    """
    if invariant.name in _INVARIANTS:
        raise ValueError(f"The invariant {invariant.name} is registered already.")
    _INVARIANTS[invariant.name] = invariant


def invariants() -> list[Invariant]:
    """All of them, in the order in which they were registered."""
    return list(_INVARIANTS.values())


def check_invariants() -> list[InvariantResult]:
    """What the database says about every invariant; nothing is kept of it."""
    return [_check(invariant) for invariant in invariants()]


def check_ledger() -> list[InvariantResult]:
    """Ask the database about every invariant, keep what it said, and give it back."""
    results = check_invariants()
    for result in results:
        result.save()
        if not result.is_kept:
            log.error("invariant %s: %s", result.name, result.summary)
    gone = InvariantResult.objects.exclude(name__in=_INVARIANTS)
    gone.delete()
    return results


def _check(invariant: Invariant) -> InvariantResult:
    result = InvariantResult(name=invariant.name, checked_at=database_now())
    try:
        ids = _offenders(invariant)
    except TookTooLong:
        result.error = f"It took longer than {SECONDS:.0f} seconds and was stopped."
        return result
    except Error as error:
        log.exception("invariant %s could not be checked", invariant.name)
        result.error = f"The database refused the question ({type(error).__name__}); see the log."
        return result
    except Exception as error:
        # One that stumbles over a row must not hide what the others would find.
        log.exception("invariant %s could not be checked", invariant.name)
        result.error = f"It could not be checked ({type(error).__name__}); see the log."
        return result
    result.count = len(ids)
    result.offenders = ids[:NAMED]
    return result


def _offenders(invariant: Invariant) -> list[int]:
    if callable(invariant.offenders):
        with statement_timeout(SECONDS):
            return invariant.offenders()[:COUNTED]
    values = {"recent": dt.timedelta(days=RECENT_DAYS), **invariant.parameters()}
    with statement_timeout(SECONDS), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({invariant.offenders}) AS offender ORDER BY id LIMIT {COUNTED}",  # noqa: S608
            values,
        )
        return [offender for (offender,) in cursor.fetchall()]


# --- the ledger's own -------------------------------------------------------------------------------


def _limits() -> dict[str, Any]:
    """Seconds after which a run must have been ended, by type: its limit, and two ticks to see it."""
    slack = 2 * settings.TICK_SECONDS + GRACE_SECONDS
    limits = {
        run_type.value: {
            "start": entry.start_deadline.total_seconds() + slack,
            "runtime": entry.time_limit.total_seconds() + GRACE_SECONDS + slack,
        }
        for run_type, entry in OperationCatalog.all().items()
    }
    return {"limits": json.dumps(limits)}


def _lease() -> dict[str, Any]:
    return {"silent": settings.RUN_LEASE_SECONDS + 2 * settings.TICK_SECONDS}


_OWN = (
    Invariant(
        "one_active_per_identity",
        "At most one run of an identity is active.",
        "SELECT unnest(array_agg(id)) AS id FROM operation_runs"
        " WHERE status IN ('queued', 'running')"
        " GROUP BY COALESCE(tenant_id, -workspace_id), run_identity_hash HAVING count(*) > 1",
    ),
    Invariant(
        "ended_is_ended",
        "A run is completed exactly if it has an outcome and an end.",
        "SELECT id FROM operation_runs WHERE (created_at > now() - %(recent)s"
        " OR status IN ('queued', 'running')) AND ((status = 'completed') <> (outcome <> 'pending')"
        " OR (status = 'completed') <> (completed_at IS NOT NULL))",
    ),
    Invariant(
        "counts_add_up",
        "What was processed has succeeded, failed or was skipped; a success has no failures.",
        "SELECT id FROM (SELECT id, outcome,"
        " COALESCE((summary_counts->>'processed')::bigint, 0) AS processed,"
        " COALESCE((summary_counts->>'succeeded')::bigint, 0) AS succeeded,"
        " COALESCE((summary_counts->>'failed')::bigint, 0) AS failed,"
        " COALESCE((summary_counts->>'skipped')::bigint, 0) AS skipped"
        " FROM operation_runs WHERE status = 'completed' AND created_at > now() - %(recent)s) run"
        " WHERE processed <> succeeded + failed + skipped OR outcome = 'succeeded' AND failed > 0",
    ),
    Invariant(
        "lease_is_kept",
        "No run is running past its lease and the tick that ends it.",
        "SELECT id FROM operation_runs WHERE status = 'running'"
        " AND heartbeat_at < clock_timestamp() - make_interval(secs => %(silent)s)",
        parameters=_lease,
    ),
    Invariant(
        "no_run_exceeds_its_limits",
        "No run is queued past its deadline, or running past its limit.",
        "SELECT id FROM operation_runs WHERE"
        " status = 'queued' AND created_at < clock_timestamp() - make_interval("
        "secs => (%(limits)s::jsonb #>> ARRAY[type, 'start'])::float)"
        " OR status = 'running' AND started_at < clock_timestamp() - make_interval("
        "secs => (%(limits)s::jsonb #>> ARRAY[type, 'runtime'])::float)",
        parameters=_limits,
    ),
    Invariant(
        "queued_is_on_its_way",
        "Every queued run has a time at which it is sent again.",
        "SELECT id FROM operation_runs WHERE status = 'queued' AND next_publish_at IS NULL",
    ),
    Invariant(
        "every_change_has_an_event",
        "Every change of a run's status has its line on the timeline, once.",
        "SELECT run.id FROM operation_runs run LEFT JOIN LATERAL ("
        " SELECT count(*) FILTER (WHERE kind IN ('created', 'blocked')) AS begun,"
        " count(*) FILTER (WHERE kind = 'started') AS started,"
        " count(*) FILTER (WHERE kind IN ('ended', 'cancelled', 'blocked')) AS ended"
        " FROM operation_run_events event WHERE event.run_id = run.id) told ON true"
        " WHERE run.created_at > now() - %(recent)s AND run.details_removed_at IS NULL"
        " AND (told.begun <> 1 OR told.started <> (run.started_at IS NOT NULL)::int"
        " OR told.ended <> (run.status = 'completed')::int)",
    ),
    Invariant(
        "nothing_after_the_end",
        "No item of a run was written after its end.",
        "SELECT DISTINCT run.id FROM operation_runs run"
        " JOIN operation_run_items item ON item.run_id = run.id"
        " WHERE run.created_at > now() - %(recent)s AND item.at > run.completed_at",
    ),
    Invariant(
        "attempts_are_capped",
        "No lost run was repeated by itself more often than three times.",
        "WITH RECURSIVE chain AS ("
        " SELECT id, retry_of_id, 1 AS length FROM operation_runs"
        " WHERE created_at > now() - %(recent)s AND initiator_name = 'Reconciler'"
        " UNION ALL SELECT chain.id, earlier.retry_of_id, length + 1 FROM chain"
        " JOIN operation_runs earlier ON earlier.id = chain.retry_of_id"
        " WHERE earlier.initiator_name = 'Reconciler' AND length < 10)"
        " SELECT id FROM chain WHERE length > 2",
    ),
)
for _invariant in _OWN:
    register_invariant(_invariant)
