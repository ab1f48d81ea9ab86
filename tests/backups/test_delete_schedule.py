"""A deleted schedule never runs again; its runs, sets and revisions stay and refer to it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule, RevisionReason
from backups.tick import tick
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.states import RunOutcome
from operations.testing import run_now
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.factories import create_member
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

REASON = "Replaced by the hourly one"


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    return open_session(client, manager)


@pytest.fixture
def nightly(tenant: Tenant) -> BackupSchedule:
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, name="Nightly")
    return schedule


def delete(schedule: BackupSchedule, by: User) -> BackupSchedule:
    services.delete(schedule, by=by, reason=REASON)
    return BackupSchedule.objects.with_scope().get(pk=schedule.pk)


def text_of(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def test_a_manager_deletes_a_schedule_and_its_page_says_so(
    page: Client, nightly: BackupSchedule
) -> None:
    answer = page.post(f"{nightly.get_absolute_url()}delete/", {"reason": REASON})

    assert answer["Location"] == nightly.get_absolute_url()
    text = text_of(page, nightly.get_absolute_url())
    assert "by <bdi>marc</bdi>" in text
    assert REASON in text
    for button in ("Back up now", "Edit schedule", "Resume schedule", "Delete schedule"):
        assert button not in text
    assert "Nightly" not in text_of(page, "/w/contoso/schedules/")
    assert nightly.get_absolute_url() not in text_of(page, nightly.tenant.get_absolute_url())


@pytest.mark.parametrize("reason", ["", " ", "x" * 301, "a\u200bb"])
def test_a_reason_is_required(page: Client, nightly: BackupSchedule, reason: str) -> None:
    page.post(f"{nightly.get_absolute_url()}delete/", {"reason": reason})

    assert not BackupSchedule.objects.get().is_deleted


def test_an_operator_does_not_delete(
    client: Client, nightly: BackupSchedule, operator: User
) -> None:
    answer = open_session(client, operator).post(
        f"{nightly.get_absolute_url()}delete/", {"reason": REASON}
    )

    assert answer.status_code == 403
    assert not BackupSchedule.objects.get().is_deleted


def test_its_runs_and_sets_stay_and_name_it(
    page: Client, nightly: BackupSchedule, manager: User
) -> None:
    run = services.run_now(nightly, manager).run
    backup_set = finish(BackupSetFactory(schedule=nightly))

    delete(nightly, manager)

    assert "Deleted schedule: Nightly" in text_of(page, run.get_absolute_url())
    assert "Nightly" in text_of(page, backup_set.get_absolute_url())
    assert nightly.sets.get() == backup_set


def test_slots_until_the_deletion_are_explained_and_later_ones_do_not_come(
    tenant: Tenant, manager: User
) -> None:
    now = database_now()
    schedule = BackupScheduleFactory(
        tenant=tenant,
        cron=f"{now.minute} {now.hour} * * *",
        due=now.replace(second=0, microsecond=0),
    )

    delete(schedule, manager)
    tick(now + dt.timedelta(hours=2))

    assert OperationRun.objects.filter(type="backup_schedule.scheduled").count() == 1
    assert unexplained_schedules() == []
    revision = schedule.revisions.get()
    assert (revision.end_reason, revision.ended_by) == (RevisionReason.DELETED, manager)


def test_a_queued_backup_of_it_is_blocked(nightly: BackupSchedule, manager: User) -> None:
    queued = services.run_now(nightly, manager).run
    delete(nightly, manager)

    run = run_now(queued)

    assert (run.outcome, run.failures[0]["code"]) == (RunOutcome.BLOCKED, "schedule_gone")


def test_nothing_can_be_done_with_it_any_more(nightly: BackupSchedule, manager: User) -> None:
    deleted = delete(nightly, manager)

    with pytest.raises(Blocked):
        services.run_now(deleted, manager)
    for change in (services.pause, services.resume, services.save):
        with pytest.raises(ValidationError, match="was deleted"):
            change(deleted, by=manager)
    assert delete(nightly, manager).deletion_reason == REASON


def test_a_deleted_schedule_can_have_been_paused(tenant: Tenant, manager: User) -> None:
    paused = BackupScheduleFactory(tenant=tenant, paused=True)

    deleted = delete(paused, manager)

    assert deleted.pause_reason == "Migration"


def test_its_name_can_be_used_again(nightly: BackupSchedule, manager: User) -> None:
    delete(nightly, manager)
    template = BackupSchedule(
        workspace=nightly.workspace, name="Nightly", cron="0 3 * * *", kinds=["compliance"]
    )

    (schedule,) = services.create_for(template, [nightly.tenant], by=manager)

    assert schedule.pk != nightly.pk


def test_it_does_not_count_for_freshness(
    page: Client, nightly: BackupSchedule, manager: User
) -> None:
    delete(nightly, manager)

    assert "Unscheduled" in text_of(page, "/w/contoso/freshness/?state=unscheduled")
    assert "Fabrikam" in text_of(page, "/w/contoso/freshness/?state=unscheduled")


# --- guards ---------------------------------------------------------------------------------


def attack(statement: str, **params: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    "change",
    [
        "deleted_at = NULL, deletion_reason = '', deleted_by_name = ''",
        "deletion_reason = 'another'",
        "deleted_by_name = 'another'",
        "name = 'another'",
        "cron = '0 4 * * *'",
        "paused_at = NULL, pause_reason = '', paused_by_id = NULL, next_run_at = now() + interval '1 h'",
        "retention_keep_days = 1",
    ],
)
def test_raw_sql_changes_no_deleted_schedule(
    nightly: BackupSchedule, manager: User, change: str
) -> None:
    delete(nightly, manager)

    with pytest.raises(IntegrityError):
        attack(f"UPDATE backup_schedules SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "deleted_at = now(), deletion_reason = 'x'",
        "paused_at = now(), pause_reason = 'x', next_run_at = NULL, deleted_at = now()",
        "deletion_reason = 'x'",
        "deleted_by_name = 'x'",
    ],
)
def test_raw_sql_deletes_no_schedule_that_is_not_paused_or_without_a_reason(
    nightly: BackupSchedule, change: str
) -> None:
    with pytest.raises(IntegrityError, match="schedules_deleted_are_paused"):
        attack(f"UPDATE backup_schedules SET {change}")


def test_raw_sql_gives_it_no_new_times(nightly: BackupSchedule, manager: User) -> None:
    delete(nightly, manager)

    with pytest.raises(IntegrityError):
        attack(
            "INSERT INTO backup_schedule_revisions (schedule_id, number, cron, timezone,"
            " rules_version, valid_from, reason)"
            " SELECT id, 2, cron, timezone, '', now(), 'resumed' FROM backup_schedules"
        )


def test_the_account_of_who_paused_it_can_be_deleted(
    nightly: BackupSchedule, manager: User
) -> None:
    delete(nightly, manager)

    manager.delete()

    assert BackupSchedule.objects.get().deleted_by_name == "marc"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM backup_schedules",
        "TRUNCATE backup_schedules CASCADE",
        "UPDATE backup_schedules SET deleted_at = NULL, deletion_reason = '', deleted_by_name = ''",
    ],
)
def test_the_role_of_the_application_removes_and_restores_none(
    app_role: str, tenant: Tenant, statement: str
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    delete(schedule, create_member(tenant.workspace, Role.MANAGER))

    with psycopg.connect(app_role, autocommit=True) as session, pytest.raises(psycopg.Error):
        session.execute(statement)

    assert BackupSchedule.objects.get().is_deleted
