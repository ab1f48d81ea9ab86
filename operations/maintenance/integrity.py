"""The invariants of the ledger, checked with queries.

Constraints and triggers guarantee most of them, and code the others. The check shows whether they
hold, for example after someone has modified the tables. Apps register theirs in `integrity.py`.

An invariant is SQL that returns the ids of the rows that violate it. Invariants of ended runs read
the runs of the last `RECENT_DAYS`; the others read the small partial indexes. A query is stopped
after `SECONDS`, and its invariant is then reported as not checked.
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

from audit.chain import find_recent_problems
from operations.catalog import OperationCatalog
from operations.delivery.publisher import GRACE_SECONDS
from operations.maintenance.incidents import COUNTED_PER_SECOND
from operations.models import InvariantResult
from tenancy.db import database_now
from web.statement_timeout import TookTooLong, statement_timeout

log = logging.getLogger(__name__)

SECONDS = 60.0
RECENT_DAYS = 30
#: The number of violating ids to store, and the limit up to which violations are counted.
MAX_STORED, MAX_COUNTED = 20, 1000

Parameters = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Invariant:
    """A promise, and the query that returns the ids of the rows that violate it.

    `offenders` is SQL, or a function where SQL is not enough. `noun` and `address` describe an
    offender and its page. `parameters` returns the parameters of the SQL besides `recent`.
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
    """Register an invariant for every check.

    Raises:
        ValueError: the name is already registered.
    """
    if invariant.name in _INVARIANTS:
        raise ValueError(f"The invariant {invariant.name} is already registered.")
    _INVARIANTS[invariant.name] = invariant


def invariants() -> list[Invariant]:
    """Return all invariants in the order of their registration."""
    return list(_INVARIANTS.values())


def check_invariants() -> list[InvariantResult]:
    """Check every invariant and return the results without storing them."""
    return [_check(invariant) for invariant in invariants()]


def check_ledger() -> list[InvariantResult]:
    """Check every invariant, store the results and return them."""
    results = check_invariants()
    for result in results:
        result.save()
        if not result.is_kept:
            log.error("invariant %s: %s", result.name, result.summary)
    InvariantResult.objects.exclude(name__in=_INVARIANTS).delete()
    return results


def _check(invariant: Invariant) -> InvariantResult:
    result = InvariantResult(name=invariant.name, checked_at=database_now())
    try:
        ids = _offenders(invariant)
    except TookTooLong:
        result.error = f"The query was stopped after {SECONDS:.0f} seconds."
        return result
    except Error as error:
        log.exception("invariant %s could not be checked", invariant.name)
        result.error = f"The query failed ({type(error).__name__}). See the log."
        return result
    except Exception as error:
        # An error in one invariant must not hide the results of the others.
        log.exception("invariant %s could not be checked", invariant.name)
        result.error = f"The check failed ({type(error).__name__}). See the log."
        return result
    result.count = len(ids)
    result.offenders = ids[:MAX_STORED]
    return result


def _offenders(invariant: Invariant) -> list[int]:
    if callable(invariant.offenders):
        with statement_timeout(SECONDS):
            return invariant.offenders()[:MAX_COUNTED]
    values = {"recent": dt.timedelta(days=RECENT_DAYS), **invariant.parameters()}
    with statement_timeout(SECONDS), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({invariant.offenders}) AS offender ORDER BY id LIMIT {MAX_COUNTED}",  # noqa: S608 - a constant  # nosec B608
            values,
        )
        return [offender for (offender,) in cursor.fetchall()]


# --- invariants of the ledger ------------------------------------------------------------------------


def _limit_parameters() -> dict[str, Any]:
    """Return the seconds by type after which a run must have ended: its limit and two ticks."""
    slack = 2 * settings.TICK_SECONDS + GRACE_SECONDS
    limits = {
        run_type.value: {
            "start": entry.start_deadline.total_seconds() + slack,
            "runtime": entry.time_limit.total_seconds() + GRACE_SECONDS + slack,
        }
        for run_type, entry in OperationCatalog.all().items()
    }
    return {"limits": json.dumps(limits)}


def _settled_parameters() -> dict[str, Any]:
    """Return the seconds after which the ticks have settled what two transactions ended at once."""
    return {"settled": 2 * settings.TICK_SECONDS + GRACE_SECONDS}


def _incident_parameters() -> dict[str, Any]:
    return {
        **_settled_parameters(),
        "rate": COUNTED_PER_SECOND,
        "days": settings.INCIDENT_WINDOW_DAYS,
        "tenants": settings.INCIDENT_TENANTS,
        "runs": settings.INCIDENT_RUNS,
    }


def _incident_address(incident_id: int) -> str:
    return reverse("admin:operations_incident_change", args=[incident_id])


_LEDGER_INVARIANTS = (
    Invariant(
        "one_active_per_identity",
        "At most one run of an identity is active.",
        "SELECT unnest(array_agg(id)) AS id FROM operation_runs"
        " WHERE status IN ('queued', 'running')"
        " GROUP BY COALESCE(tenant_id, -workspace_id), run_identity_hash HAVING count(*) > 1",
    ),
    Invariant(
        "ended_is_ended",
        "A run is completed if and only if it has an outcome and an end.",
        "SELECT id FROM operation_runs WHERE (created_at > now() - %(recent)s"
        " OR status IN ('queued', 'running')) AND ((status = 'completed') <> (outcome <> 'pending')"
        " OR (status = 'completed') <> (completed_at IS NOT NULL))",
    ),
    Invariant(
        "counts_add_up",
        "Processed items have succeeded, failed or been skipped. A succeeded run has no failed items.",
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
        "No run is still running after its lease and the next tick.",
        "SELECT id FROM operation_runs WHERE status = 'running'"
        " AND heartbeat_at < clock_timestamp() - make_interval(secs => %(lease)s)",
        parameters=lambda: {"lease": settings.RUN_LEASE_SECONDS + 2 * settings.TICK_SECONDS},
    ),
    Invariant(
        "no_run_exceeds_its_limits",
        "No run is queued after its start deadline or running after its time limit.",
        "SELECT id FROM operation_runs WHERE"
        " status = 'queued' AND created_at < clock_timestamp() - make_interval("
        "secs => (%(limits)s::jsonb #>> ARRAY[type, 'start'])::float)"
        " OR status = 'running' AND started_at < clock_timestamp() - make_interval("
        "secs => (%(limits)s::jsonb #>> ARRAY[type, 'runtime'])::float)",
        parameters=_limit_parameters,
    ),
    Invariant(
        "queued_is_on_its_way",
        "Every queued run has a time for its next message.",
        "SELECT id FROM operation_runs WHERE status = 'queued' AND next_publish_at IS NULL",
    ),
    Invariant(
        "every_change_has_an_event",
        "Every status change of a run has exactly one event on the timeline.",
        "SELECT run.id FROM operation_runs run LEFT JOIN LATERAL ("
        " SELECT count(*) FILTER (WHERE kind IN ('created', 'blocked')) AS created,"
        " count(*) FILTER (WHERE kind = 'started') AS started,"
        " count(*) FILTER (WHERE kind IN ('ended', 'cancelled', 'blocked')) AS ended"
        " FROM operation_run_events event WHERE event.run_id = run.id) events ON true"
        " WHERE run.created_at > now() - %(recent)s AND run.details_removed_at IS NULL"
        " AND (events.created <> 1 OR events.started <> (run.started_at IS NOT NULL)::int"
        " OR events.ended <> (run.status = 'completed')::int)",
    ),
    Invariant(
        "nothing_after_the_end",
        "No item of a run was written after the run ended.",
        "SELECT DISTINCT run.id FROM operation_runs run"
        " JOIN operation_run_items item ON item.run_id = run.id"
        " WHERE run.created_at > now() - %(recent)s AND item.at > run.completed_at",
    ),
    Invariant(
        "attempts_are_capped",
        "No lost run was retried automatically more than twice in a row.",
        "WITH RECURSIVE chain AS ("
        " SELECT id, retry_of_id, 1 AS length FROM operation_runs"
        " WHERE created_at > now() - %(recent)s AND initiator_name = 'Reconciler'"
        " UNION ALL SELECT chain.id, earlier.retry_of_id, length + 1 FROM chain"
        " JOIN operation_runs earlier ON earlier.id = chain.retry_of_id"
        " WHERE earlier.initiator_name = 'Reconciler' AND length < 10)"
        " SELECT id FROM chain WHERE length > 2",
    ),
    Invariant(
        "recovery_is_a_later_success",
        "A recovered run had a problem, and the run that recovered it succeeded later.",
        "SELECT run.id FROM operation_runs run"
        " LEFT JOIN operation_runs success ON success.id = run.recovered_by_id"
        " WHERE run.created_at > now() - %(recent)s AND run.recovered_at IS NOT NULL"
        " AND (run.cause = '' OR success.outcome <> 'succeeded'"
        " OR success.run_identity_hash <> run.run_identity_hash"
        " OR success.started_at < run.completed_at)",
    ),
    Invariant(
        "success_recovers",
        "A later success of the same identity has recovered every earlier problem.",
        "SELECT run.id FROM operation_runs run JOIN operation_runs success"
        " USING (workspace_id, run_identity_hash)"
        " WHERE run.recovered_at IS NULL AND run.cause <> ''"
        " AND run.created_at > now() - %(recent)s AND success.created_at > now() - %(recent)s"
        " AND success.outcome = 'succeeded' AND success.started_at"
        " >= greatest(run.completed_at, (run.context #>> '{repeated,last}')::timestamptz)"
        " AND success.completed_at < clock_timestamp() - make_interval(secs => %(settled)s)",
        parameters=_settled_parameters,
    ),
    Invariant(
        "one_problem_per_identity",
        "The last problem of an identity stands for the earlier ones in “Needs attention”.",
        "SELECT run.id FROM operation_runs run JOIN operation_runs later"
        " USING (workspace_id, run_identity_hash)"
        " WHERE run.recovered_at IS NULL AND run.cause <> ''"
        " AND run.superseded_by_id IS NULL AND run.created_at > now() - %(recent)s"
        " AND later.cause <> '' AND later.created_at > now() - %(recent)s"
        " AND (later.completed_at, later.id) > (run.completed_at, run.id)"
        " AND later.completed_at < clock_timestamp() - make_interval(secs => %(settled)s)",
        parameters=_settled_parameters,
    ),
    Invariant(
        "incidents_count_their_runs",
        "An incident counts each of its runs. A recovered one has no run that has not recovered.",
        "SELECT incident.id FROM operation_incidents incident CROSS JOIN LATERAL ("
        " SELECT count(*) AS runs, count(*) FILTER (WHERE run.recovered_at IS NULL) AS unrecovered"
        " FROM operation_runs run WHERE run.incident_id = incident.id) actual"
        " WHERE incident.created_at > now() - %(recent)s AND (actual.runs > incident.runs"
        " OR incident.close_reason = 'recovered' AND actual.unrecovered > 0)",
        noun="Incident",
        address=_incident_address,
    ),
    Invariant(
        "incidents_close_when_recovered",
        "An incident whose runs have all recovered is closed at the next count.",
        "SELECT incident.id FROM operation_incidents incident WHERE closed_at IS NULL AND runs > 0"
        " AND NOT EXISTS (SELECT FROM operation_runs run WHERE run.incident_id = incident.id"
        " AND coalesce(run.recovered_at, 'infinity') > clock_timestamp() - make_interval("
        "secs => %(settled)s + incident.runs / %(rate)s::float))",
        noun="Incident",
        address=_incident_address,
        parameters=_incident_parameters,
    ),
    Invariant(
        "shared_cause_is_an_incident",
        "Runs of enough tenants, or enough runs, with one cause are part of an incident.",
        "SELECT min(run.id) AS id FROM operation_runs run"
        " WHERE run.outcome IN ('failed', 'partially_succeeded', 'blocked')"
        " AND run.recovered_at IS NULL AND run.incident_id IS NULL AND run.cause <> ''"
        " AND run.created_at > statement_timestamp() - make_interval(days => %(days)s)"
        " AND run.completed_at < clock_timestamp() - make_interval(secs => %(settled)s)"
        " GROUP BY run.workspace_id, run.cause"
        " HAVING count(DISTINCT run.tenant_id) >= %(tenants)s OR count(*) >= %(runs)s",
        parameters=_incident_parameters,
    ),
    Invariant(
        "ended_runs_are_counted",
        "The charts of the overview count each run that has ended once.",
        # Retention removes only older runs.
        "SELECT DISTINCT workspace_id AS id FROM (SELECT date_bin('15 minutes',"
        " now() - interval '23 hours', '2000-01-01Z') AS since) clock CROSS JOIN LATERAL ("
        " SELECT workspace_id, quarter, type, outcome, runs FROM operation_run_counts"
        " WHERE quarter >= since"
        " UNION ALL SELECT run.workspace_id, date_bin('15 minutes', run.created_at, since),"
        " run.type, run.outcome, -1 FROM workspaces JOIN operation_runs run"
        " ON run.workspace_id = workspaces.id AND run.created_at >= since"
        " WHERE run.status = 'completed' AND NOT EXISTS (SELECT FROM operation_metric_increments"
        " WHERE kind = 'run_ended' AND run_id = run.id)) counted"
        " GROUP BY workspace_id, quarter, type, outcome HAVING sum(runs) <> 0",
        noun="Workspace",
        address=lambda workspace_id: reverse("admin:tenancy_workspace_change", args=[workspace_id]),
    ),
)
for _invariant in _LEDGER_INVARIANTS:
    register_invariant(_invariant)

register_invariant(
    Invariant(
        "audit_log_is_sealed",
        "No recent entry of the audit log was changed or removed.",
        lambda: [problem.entry_id for problem in find_recent_problems()],
        noun="Audit entry",
        address=lambda entry_id: reverse("admin:audit_auditentry_change", args=[entry_id]),
    )
)
