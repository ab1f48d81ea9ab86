"""Each ended run is counted once, also if ticks, recounts and the migration meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from operations import migrations
from operations.metrics.counting import update_metrics
from operations.models import MetricIncrement, RunCount
from operations.presentation.hours import count_by_hour
from tenancy.db import database_now
from tenancy.models import Tenant
from tests.support.concurrency import TIMEOUT_SECONDS, wait_until_blocked
from tests.support.factories.operations import create_ended_run
from tests.support.stack import database_url

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

#: What a tick executes.
COUNT = "SELECT operation_metrics_update(100, '{}', '{1}')"


def count_runs(tenant: Tenant) -> int:
    return sum(hour.count for hour in count_by_hour(tenant.workspace, database_now()))


def test_counting_again_waits_for_a_tick_and_no_end_of_a_run_waits(tenant: Tenant) -> None:
    create_ended_run(tenant, succeeded=1)
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(database_url()) as tick,
        psycopg.connect(database_url()) as other,
    ):
        assert tick.execute(COUNT).fetchone() == (1,)
        counting = pool.submit(other.execute, "SELECT operation_run_counts_rebuild()")
        wait_until_blocked(other.info.backend_pid, by=tick.info.backend_pid)
        tick.commit()
        counting.result(timeout=TIMEOUT_SECONDS)
        create_ended_run(tenant, 2, succeeded=1)
        other.commit()

    assert count_runs(tenant) == 2
    update_metrics()
    # They may have ended in two quarters of an hour.
    assert sum(row.runs for row in RunCount.objects.all()) == 2


def test_a_tick_that_began_before_the_migration_loses_no_run(tenant: Tenant) -> None:
    """It ends with the function of the earlier version, and the migration counts after its end."""
    folder = Path(migrations.__file__).parent / "sql"
    earlier, later = (
        (folder / f"run_counts{suffix}.sql").read_text() for suffix in (".reverse", "")
    )
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(database_url()) as migration,
        psycopg.connect(database_url()) as tick,
    ):
        migration.execute(earlier)
        migration.commit()
        try:
            create_ended_run(tenant, succeeded=1)
            migration.execute(later)
            tick.execute("SET lock_timeout = '10s'")
            assert tick.execute(COUNT).fetchone() == (1,)
        finally:
            migration.rollback()
            migration.execute(later)
            migration.commit()
        counting = pool.submit(migration.execute, "SELECT operation_run_counts_rebuild()")
        wait_until_blocked(migration.info.backend_pid, by=tick.info.backend_pid)
        tick.commit()
        counting.result(timeout=TIMEOUT_SECONDS)
        migration.commit()

    assert not MetricIncrement.objects.exists()
    assert count_runs(tenant) == 1
