"""Which members an event reaches, by which rule, and when."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from notifications.descriptions import describe
from notifications.kinds import EventKind
from notifications.matching import handle_events, next_email_at
from notifications.models import (
    Frequency,
    Notification,
    NotificationDelivery,
    NotificationEvent,
    NotificationSettings,
)
from notifications.retention import remove_old_events
from operations.maintenance.incidents import update_incidents
from restores.models import ItemState, RestoreItem, RestoreRun, RestoreStatus
from tenancy.models import Membership, Tenant, User, Workspace
from tests.support.database import without_guards
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, create_change
from tests.support.factories.incidents import create_incident, fail_for, succeed_for
from tests.support.factories.notifications import create_event, create_rule
from tests.support.factories.restores import create_restore

pytestmark = pytest.mark.django_db

NOW = dt.timedelta(0)


@pytest.fixture(autouse=True)
def _no_hold(settings: Settings) -> None:
    """Events of runs do not wait for the tick of incidents, unless a test says so."""
    settings.TICK_SECONDS = 0


def titles(user: User) -> list[str]:
    rows = Notification.objects.filter(user=user).order_by("event_id")
    return [row.event.title for row in rows.select_related("event")]


def test_a_rule_for_all_members_reaches_every_active_member(
    tenant: Tenant, operator: User, owner: User, stranger: User
) -> None:
    create_rule(tenant.workspace)
    User.objects.filter(pk=owner.pk).update(is_active=False)

    fail_for(tenant)
    handle_events()

    assert titles(operator) == ["Backup now for Fabrikam failed."]
    assert titles(owner) == titles(stranger) == []


def test_a_rule_of_a_member_reaches_only_this_member(
    tenant: Tenant, operator: User, owner: User
) -> None:
    create_rule(tenant.workspace, owner=operator)

    fail_for(tenant)
    handle_events()

    assert len(titles(operator)) == 1
    assert titles(owner) == []


def test_several_rules_reach_a_member_once_by_each_channel(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace, email=True)
    create_rule(tenant.workspace, owner=operator, email=True)
    create_rule(tenant.workspace, owner=operator, tenant=tenant)

    fail_for(tenant)
    handle_events()
    handle_events()

    assert Notification.objects.filter(user=operator).count() == 1
    assert NotificationDelivery.objects.filter(user=operator).count() == 1


def test_a_rule_of_a_tenant_leaves_out_other_tenants(tenant: Tenant, operator: User) -> None:
    other = TenantFactory(workspace=tenant.workspace, name="Northwind")
    create_rule(tenant.workspace, tenant=tenant)

    fail_for(other)
    fail_for(tenant)
    handle_events()

    assert titles(operator) == ["Backup now for Fabrikam failed."]


def test_a_rule_of_a_schedule_leaves_out_other_schedules(tenant: Tenant, operator: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    create_rule(tenant.workspace, tenant=tenant, schedule=schedule, events=["run_failed"])
    fail_for(tenant, schedule.pk)
    fail_for(tenant, schedule.pk + 1)
    runs = list(NotificationEvent.objects.order_by("pk").values_list("subject_id", flat=True))

    handle_events()

    assert [row.event.subject_id for row in Notification.objects.filter(user=operator)] == runs[:1]


def test_a_third_problem_in_a_row_is_sent_once(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace, in_a_row=3)

    for number in range(1, 6):
        fail_for(tenant)
        handle_events()
        assert len(titles(operator)) == (1 if number >= 3 else 0)
    succeed_for(tenant)
    handle_events()

    assert titles(operator)[1:] == ["Backup now for Fabrikam recovered."]


def test_a_series_that_was_too_short_is_not_sent_as_recovered(
    tenant: Tenant, operator: User
) -> None:
    create_rule(tenant.workspace, in_a_row=3)
    for _ in range(2):
        fail_for(tenant)
    succeed_for(tenant)

    handle_events()

    assert titles(operator) == []


def test_the_series_of_a_batch_are_counted_in_one_statement(
    tenant: Tenant, operator: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    create_rule(tenant.workspace, in_a_row=2)
    for schedule in range(1, 8):
        fail_for(tenant, schedule)
        fail_for(tenant, schedule)
    events = list(NotificationEvent.objects.order_by("pk"))
    with django_assert_max_num_queries(1):
        problems = describe(events)
    for schedule in range(1, 8):
        succeed_for(tenant, schedule)
    recoveries = list(NotificationEvent.objects.filter(kind=EventKind.RUN_RECOVERED))

    with django_assert_max_num_queries(2):
        recovered = describe(recoveries)

    assert [problems[event.pk].in_a_row for event in events] == [1, 2] * 7
    assert [recovered[event.pk].in_a_row for event in recoveries] == [2] * 7


def test_an_incident_is_one_message_and_not_one_for_each_tenant(
    tenant: Tenant, operator: User
) -> None:
    create_rule(tenant.workspace)
    create_incident(tenant, tenants=5)
    handle_events()
    assert [title.partition(":")[0] for title in titles(operator)] == ["Incident"]
    for each in Tenant.objects.filter(workspace=tenant.workspace):
        succeed_for(each, 4711)
    update_incidents()

    handle_events()

    assert [title.partition(":")[0] for title in titles(operator)] == [
        "Incident",
        "Incident closed",
    ]


def test_the_runs_of_an_incident_are_sent_by_a_rule_without_incidents(
    tenant: Tenant, operator: User
) -> None:
    create_rule(tenant.workspace, events=["run_failed"])

    create_incident(tenant, tenants=3)
    handle_events()

    assert len(titles(operator)) == 3


def test_an_incident_reaches_the_rule_of_a_tenant_that_it_hits(
    tenant: Tenant, operator: User
) -> None:
    untouched = TenantFactory(workspace=tenant.workspace)
    create_rule(tenant.workspace, tenant=tenant, events=["incident_opened"])
    create_rule(tenant.workspace, tenant=untouched, events=["incident_opened"], email=True)

    create_incident(tenant)
    handle_events()

    assert len(titles(operator)) == 1
    assert not NotificationDelivery.objects.exists()


def test_a_problem_waits_until_the_incidents_are_updated(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace)
    fail_for(tenant)

    assert handle_events(hold=dt.timedelta(minutes=1)) == 0
    assert handle_events() == 1

    assert len(titles(operator)) == 1


def test_an_approval_reaches_those_who_can_approve(
    tenant: Tenant, manager: User, operator: User, owner: User
) -> None:
    Workspace.objects.filter(pk=tenant.workspace_id).update(restores_need_approval=True)
    create_rule(tenant.workspace)
    restore = create_restore(tenant)
    with without_guards("restore_runs"):
        RestoreRun.objects.filter(pk=restore.pk).update(requested_by=owner)
    create_event(
        tenant, kind=EventKind.APPROVAL_WANTED, subject_id=restore.pk, handled_at=None, title=""
    )

    handle_events()

    assert titles(manager) == ["A restore for Fabrikam waits for an approval."]
    assert titles(operator) == titles(owner) == []


def test_what_a_restore_wrote_is_no_unexpected_change(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace, events=["policies_changed"])
    change = create_change(tenant)
    restore = create_restore(tenant)
    with without_guards("restore_runs", "restore_items"):
        RestoreRun.objects.filter(pk=restore.pk).update(
            status=RestoreStatus.EXECUTING, executed_at=timezone.now(), is_dry_run=False
        )
        RestoreItem.objects.filter(restore=restore).update(
            kind=change.kind, graph_id=change.graph_id, state=ItemState.VERIFIED
        )

    handle_events()

    assert titles(operator) == []
    assert NotificationEvent.objects.get().handled_at is not None


def test_a_change_that_no_restore_wrote_names_the_policies(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace, events=["policies_changed"])
    change = create_change(tenant)

    handle_events()

    assert titles(operator) == ["1 policy of Fabrikam changed."]
    assert change.name in NotificationEvent.objects.get().detail


@pytest.mark.parametrize("reason", ["no address", "switched off"])
def test_a_member_without_email_gets_the_notification_only(
    tenant: Tenant, operator: User, reason: str
) -> None:
    create_rule(tenant.workspace, email=True)
    if reason == "no address":
        User.objects.filter(pk=operator.pk).update(email="")
    else:
        NotificationSettings.objects.create(user=operator, frequency=Frequency.OFF)

    fail_for(tenant)
    handle_events()

    assert len(titles(operator)) == 1
    assert not NotificationDelivery.objects.exists()


@pytest.mark.parametrize(
    ("frequency", "now", "expected"),
    [
        (Frequency.IMMEDIATELY, "2026-06-01T12:34:56", "2026-06-01T12:34:56"),
        (Frequency.HOURLY, "2026-06-01T12:34:56", "2026-06-01T13:00:00"),
        (Frequency.HOURLY, "2026-06-01T12:00:00", "2026-06-01T13:00:00"),
        # 07:00 in Berlin is 05:00 UTC in summer and 06:00 UTC in winter.
        (Frequency.DAILY, "2026-06-01T04:59:59", "2026-06-01T05:00:00"),
        (Frequency.DAILY, "2026-06-01T05:00:00", "2026-06-02T05:00:00"),
        (Frequency.DAILY, "2026-10-24T12:00:00", "2026-10-25T06:00:00"),
    ],
)
def test_when_an_email_is_due(frequency: Frequency, now: str, expected: str) -> None:
    at = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)

    due = next_email_at(frequency, at, zoneinfo.ZoneInfo("Europe/Berlin"))

    assert due == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
    assert next_email_at(Frequency.OFF, at, zoneinfo.ZoneInfo("UTC")) is None


def test_a_member_who_leaves_loses_rules_notifications_and_deliveries(
    tenant: Tenant, operator: User, client: Client
) -> None:
    create_rule(tenant.workspace, owner=operator, email=True)
    fail_for(tenant)
    handle_events()

    Membership.objects.get(user=operator).delete()

    assert not Notification.objects.filter(user=operator).exists()
    assert not NotificationDelivery.objects.filter(user=operator).exists()
    assert not tenant.workspace.notification_rules.filter(owner=operator).exists()


def test_old_events_are_removed_with_what_was_sent(tenant: Tenant, operator: User) -> None:
    create_rule(tenant.workspace, email=True)
    fail_for(tenant)
    handle_events()
    old = timezone.now() - dt.timedelta(days=91)
    with without_guards("notification_events"):
        NotificationEvent.objects.update(created_at=old)
    waiting = create_event(tenant, handled_at=None, created_at=old)
    recent = create_event(tenant)

    assert remove_old_events() == 1

    assert set(NotificationEvent.objects.all()) == {waiting, recent}
    assert not Notification.objects.exists()
    assert not NotificationDelivery.objects.exists()
