"""Objectives: how old the last complete backup of a tenant may be."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from backups.freshness import Freshness, Objectives, freshness_of, late_from
from backups.models import BackupObjective, BackupSchedule
from backups.objectives import objective_of, set_objective
from tenancy.db import database_now
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.factories.backups import (
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
    utc,
)
from tests.support.sessions import open_session

HOUR = dt.timedelta(hours=1)
DAILY, WEEKLY = "0 2 * * *", "0 2 * * 1"
#: A Saturday.
LAST = utc(2026, 1, 10, 2, 5)


def schedules(*times: tuple[str, int | None]) -> list[BackupSchedule]:
    return [
        BackupSchedule(cron=cron, timezone="UTC", objective_hours=hours) for cron, hours in times
    ]


@pytest.mark.parametrize(
    ("times", "workspace", "tenant", "late"),
    [
        # The workspace's objective waits for the next slot of a schedule that runs less often.
        ([(DAILY, None)], 24, None, utc(2026, 1, 11, 4, 5)),
        ([(DAILY, None)], 48, None, utc(2026, 1, 12, 4, 5)),
        ([(WEEKLY, None)], 24, None, utc(2026, 1, 12, 4)),
        ([], 48, None, utc(2026, 1, 12, 4, 5)),
        # That of a schedule counts exactly, and the strictest schedule decides.
        ([(WEEKLY, 24)], 24, None, utc(2026, 1, 11, 4, 5)),
        ([(DAILY, 72)], 24, None, utc(2026, 1, 13, 4, 5)),
        ([(DAILY, 72), (WEEKLY, None)], 24, None, utc(2026, 1, 12, 4)),
        ([("not a cron expression", 30)], 24, None, utc(2026, 1, 11, 10, 5)),
        # That of the tenant counts before all others.
        ([(DAILY, 12), (WEEKLY, None)], 24, 96, utc(2026, 1, 14, 4, 5)),
        ([(WEEKLY, 96)], 48, 6, utc(2026, 1, 10, 10, 5)),
        ([], 24, 6, utc(2026, 1, 10, 10, 5)),
    ],
)
def test_the_most_specific_objective_decides(
    times: list[tuple[str, int | None]], workspace: int, tenant: int | None, late: dt.datetime
) -> None:
    objectives = Objectives(workspace * HOUR, tenant * HOUR if tenant else None)
    row = Freshness(Tenant(), LAST, schedules(*times), late, objectives)

    assert late_from(LAST, row.schedules, objectives) == row.late_at == late
    assert not row.is_late
    after = Freshness(Tenant(), LAST, row.schedules, late + dt.timedelta(seconds=1), objectives)
    assert after.is_late


@pytest.mark.parametrize(
    ("times", "tenant", "expected"),
    [
        ([], None, (24, "workspace")),
        ([(DAILY, None)], None, (24, "workspace")),
        ([(DAILY, 48)], None, (48, "schedule")),
        ([(DAILY, 48), (WEEKLY, None)], None, (24, "workspace")),
        ([(DAILY, 12), (WEEKLY, 200)], None, (12, "schedule")),
        ([(DAILY, 12)], 72, (72, "tenant")),
    ],
)
def test_the_page_names_the_objective_and_where_it_is_set(
    times: list[tuple[str, int | None]], tenant: int | None, expected: tuple[int, str]
) -> None:
    objectives = Objectives(tenant=tenant * HOUR if tenant else None)
    row = Freshness(Tenant(), LAST, schedules(*times), LAST, objectives)

    assert (row.objective / HOUR, row.objective_source) == expected


@pytest.mark.django_db
def test_the_stored_objectives_judge_every_tenant(workspace: Workspace) -> None:
    now = database_now()
    names = {"Default": None, "Own": 40, "Elsewhere": None}
    for name, hours in names.items():
        schedule = BackupScheduleFactory(tenant__workspace=workspace, tenant__name=name)
        finish(BackupSetFactory(schedule=schedule), ended_at=now - 30 * HOUR)
        set_objective(workspace, schedule.tenant, hours)
    by_schedule = BackupScheduleFactory(
        tenant__workspace=workspace, tenant__name="By schedule", objective_hours=40
    )
    finish(BackupSetFactory(schedule=by_schedule), ended_at=now - 30 * HOUR)
    set_objective(WorkspaceFactory(), None, 1)

    def late() -> set[str]:
        return {row.tenant.name for row in freshness_of(workspace) if row.is_late}

    assert late() == {"Default", "Elsewhere"}
    set_objective(workspace, None, 48)
    assert late() == set()
    set_objective(workspace, None, None)
    set_objective(workspace, Tenant.objects.get(name="Own"), None)
    assert late() == {"Default", "Elsewhere", "Own"}


@pytest.mark.django_db
def test_a_manager_sets_and_removes_an_objective(
    client: Client, manager: User, tenant: Tenant
) -> None:
    open_session(client, manager)
    for address, scope in (
        ("/w/contoso/freshness/objective/", None),
        (f"/w/contoso/tenants/{tenant.pk}/objective/", tenant),
    ):
        assert client.post(address, {"hours": "36"}).status_code == 302
        assert objective_of(tenant.workspace, scope) == 36
        assert 'value="36"' in client.get(address).content.decode()
        client.post(address, {"hours": "48"})
        assert objective_of(tenant.workspace, scope) == 48
        client.post(address, {"hours": ""})
        assert objective_of(tenant.workspace, scope) is None


@pytest.mark.django_db
@pytest.mark.parametrize("hours", ["0", "-1", "8785", "1e9", "many", "\x00", "9" * 400])
def test_an_impossible_objective_is_refused(
    client: Client, manager: User, tenant: Tenant, hours: str
) -> None:
    open_session(client, manager)

    response = client.post(f"/w/contoso/tenants/{tenant.pk}/objective/", {"hours": hours})

    assert response.status_code == 400
    assert not BackupObjective.objects.exists()


@pytest.mark.django_db
def test_the_form_of_a_schedule_stores_its_objective(
    client: Client, manager: User, tenant: Tenant
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    open_session(client, manager)
    values = {
        "name": "Nightly",
        "cron": DAILY,
        "timezone": "UTC",
        "kinds": ["compliance"],
        "retention_keep_sets": 30,
        "retention_keep_days": 90,
        "misfire_policy": "skip",
        "grace_hours": 1,
    }
    for hours, stored in (("36", 36), ("", None)):
        address = f"{schedule.get_absolute_url()}edit/"
        assert client.post(address, values | {"objective_hours": hours}).status_code == 302
        schedule.refresh_from_db()
        assert schedule.objective_hours == stored
    response = client.post(address, values | {"objective_hours": "0"})
    assert response.status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        (
            "INSERT INTO backup_objectives (workspace_id, hours) VALUES ({ours}, 24)",
            "per_workspace",
        ),
        (
            "INSERT INTO backup_objectives (workspace_id, tenant_id, hours) SELECT {ours}, {tenant}, 9",
            "per_tenant",
        ),
        (
            "INSERT INTO backup_objectives (workspace_id, tenant_id, hours) SELECT {theirs}, {other}, 9",
            "tenant_of_workspace",
        ),
        ("UPDATE backup_objectives SET hours = 0", "objectives_possible"),
        ("UPDATE backup_objectives SET hours = 8785", "objectives_possible"),
        ("UPDATE backup_schedules SET objective_hours = 0", "schedules_objective_possible"),
        (
            "INSERT INTO backup_days (workspace_id, day, counts) VALUES ({ours}, now(), '[]')",
            "backup_days_counts_valid",
        ),
        (
            """INSERT INTO backup_days (workspace_id, day, counts) SELECT {ours}, now(), '{{"x": -1}}'""",
            "backup_days_counts_valid",
        ),
    ],
)
def test_the_database_rejects_invalid_objectives(
    tenant: Tenant, workspace: Workspace, sql: str, constraint: str
) -> None:
    BackupScheduleFactory(tenant=tenant)
    other = TenantFactory(workspace=workspace)
    set_objective(workspace, None, 24)
    set_objective(workspace, tenant, 24)
    ids = {"ours": workspace.pk, "theirs": WorkspaceFactory().pk}

    with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.format(tenant=tenant.pk, other=other.pk, **ids))
