"""Several runs that add to one set at once, each with a separate database connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backups.adding import Adding
from backups.models import BackupItem, BackupSet, PolicyVersion
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import Capture
from tests.support.concurrency import racing_threads
from tests.support.factories import TenantFactory
from tests.support.factories.operations import dispatch

RUNS, POLICIES, NAME = 4, 12, "Before the migration"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_runs_create_one_set_with_each_policy_once() -> None:
    tenant = TenantFactory()
    kind = KINDS["compliance"]
    runs = [dispatch(tenant, number).run for number in range(RUNS)]

    def add(run: Any) -> list[str | None]:
        active_run = SimpleNamespace(workspace=tenant.workspace, tenant=tenant, run=run)
        adding = Adding(active_run, NAME)  # type: ignore[arg-type]
        return [
            adding._store(kind, str(n), Capture({"id": str(n), "displayName": f"Policy {n}"}))[1]
            for n in range(POLICIES)
        ]

    with racing_threads(RUNS) as threads:
        results = threads.race([lambda run=run: add(run) for run in runs])

    backup_set = BackupSet.objects.get()
    assert (backup_set.name, backup_set.status, backup_set.item_count) == (
        NAME,
        "complete",
        POLICIES,
    )
    assert BackupItem.objects.count() == PolicyVersion.objects.count() == POLICIES
    for changes in zip(*results, strict=True):
        assert sorted(changes, key=str) == [None] * (RUNS - 1) + ["created"]
