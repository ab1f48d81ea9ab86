"""The metrics of runs, queues, ticks and the database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.db import connection
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from operations.catalog import OperationCatalog
from operations.maintenance.health import load_waiting
from operations.metrics.registry import Counter, Histogram, Labels, current_values, register
from operations.models import InvariantResult
from operations.reasons import LOST_WORKER
from operations.states import RunOutcome


def _lost_worker(labels: Labels) -> Labels | None:
    return labels if labels["reason"] in LOST_WORKER else None


def _types_and(values: Iterable[str]) -> Callable[[], Iterable[tuple[str, str]]]:
    """Return a function that pairs each type of operation with each of these values."""
    return lambda: itertools.product(OperationCatalog.all(), values)


register(
    Counter(
        "runs_ended",
        "runledger_runs_ended",
        "Ended runs.",
        ("type", "outcome"),
        initial=_types_and(set(RunOutcome.values) - {RunOutcome.PENDING}),
    ),
    Counter(
        "runs_with_reason",
        "runledger_runs_with_reason",
        "Ended runs with a reason among their failures.",
        ("type", "reason"),
    ),
    Counter(
        "runs_with_reason",
        "runledger_leases_lost",
        "Runs that lost their worker or its lease.",
        ("type", "reason"),
        _lost_worker,
        _types_and(LOST_WORKER),
    ),
    Histogram(
        "run_publish_seconds",
        "runledger_run_publish_seconds",
        "Seconds from the request of a run to its last message.",
        ("type",),
    ),
    Histogram(
        "run_claim_seconds",
        "runledger_run_claim_seconds",
        "Seconds from the last message of a run to its claim by a worker.",
        ("type",),
    ),
    Histogram(
        "run_work_seconds",
        "runledger_run_work_seconds",
        "Seconds from the claim of a run to its end.",
        ("type",),
    ),
    Counter(
        "late_writes_refused",
        "runledger_late_writes_refused",
        "Reports of workers that were refused because their run had ended.",
    ),
    Counter(
        "messages_republished",
        "runledger_messages_republished",
        "Messages of runs that were sent again.",
    ),
    Counter(
        "messages_refused",
        "runledger_messages_refused",
        "Messages of runs that the broker did not accept, once for each run and refusal.",
    ),
    order=10,
)

_RUNNING = "SELECT type, count(*) FROM operation_runs WHERE status = 'running' GROUP BY type"


@current_values(order=10)
def queues() -> Iterator[Metric]:
    """The queued runs of each queue and their age, and the running runs of each type."""
    waiting = load_waiting()
    families = {
        "runs": GaugeMetricFamily("runledger_queue_runs", "Queued runs.", labels=("queue",)),
        "oldest_seconds": GaugeMetricFamily(
            "runledger_queue_oldest_seconds", "Age of the oldest queued run.", labels=("queue",)
        ),
        "seconds_without_claim": GaugeMetricFamily(
            "runledger_queue_seconds_without_claim",
            "Seconds since a run was claimed from a queue with queued runs.",
            labels=("queue",),
        ),
    }
    queue_names = {entry.queue.value for entry in OperationCatalog.all().values()}
    for name in sorted(queue_names | waiting.keys()):
        for key, family in families.items():
            family.add_metric((name,), waiting.get(name, {}).get(key, 0))
    yield from families.values()
    running = GaugeMetricFamily("runledger_runs_running", "Running runs.", labels=("type",))
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        for run_type, count in cursor.fetchall():
            running.add_metric((run_type,), count)
    yield running


_TICK_AGES = """
SELECT name, extract(epoch FROM clock_timestamp() - at)::float8 FROM operation_ticks
WHERE name <> 'health' AND name NOT LIKE 'claim %'
"""


@current_values(order=20)
def maintenance() -> Iterator[Metric]:
    """The ages of the ticks, the results of the ledger check, and the open incidents."""
    ticks = GaugeMetricFamily(
        "runledger_tick_age_seconds", "Seconds since a tick last ran.", labels=("tick",)
    )
    with connection.cursor() as cursor:
        cursor.execute(_TICK_AGES)
        for name, age in cursor.fetchall():
            ticks.add_metric((name,), age)
        cursor.execute("SELECT count(*) FROM operation_incidents WHERE closed_at IS NULL")
        incidents = cursor.fetchone()[0]
    yield ticks
    yield GaugeMetricFamily(
        "runledger_tick_interval_seconds", "TICK_SECONDS.", settings.TICK_SECONDS
    )
    yield GaugeMetricFamily("runledger_incidents_open", "Open incidents.", incidents)
    broken = GaugeMetricFamily(
        "runledger_invariant_broken",
        "Whether the last ledger check found violations of an invariant, or could not check it.",
        labels=("invariant",),
    )
    for result in InvariantResult.objects.order_by("name"):
        broken.add_metric((result.name,), float(not result.is_kept))
    yield broken


#: The programs of Runledger by the `application_name` of their connections.
_PROGRAMS = {"runledger gunicorn": "web", "runledger celery": "celery"}
# The state of a session of another role is hidden.
_CONNECTIONS = """
SELECT application_name, coalesce(state, 'hidden'), count(*) FROM pg_stat_activity
WHERE datname = current_database() GROUP BY 1, 2
"""


@current_values(order=30)
def database() -> Iterator[Metric]:
    """The connections to the database by program and state, and how many the server allows."""
    connections = GaugeMetricFamily(
        "runledger_database_connections",
        "Connections to the database by program and state.",
        labels=("program", "state"),
    )
    counts: dict[tuple[str, str], int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        for name, state, count in cursor.fetchall():
            key = (_PROGRAMS.get(name, "other"), state)
            counts[key] = counts.get(key, 0) + count
        cursor.execute("SELECT current_setting('max_connections')::int")
        most = cursor.fetchone()[0]
    for labels, count in sorted(counts.items()):
        connections.add_metric(labels, count)
    yield connections
    yield GaugeMetricFamily(
        "runledger_database_connections_max", "Connections that the server allows.", most
    )
