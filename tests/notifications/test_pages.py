"""The pages of notifications and rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from notifications.models import (
    Frequency,
    Notification,
    NotificationRule,
    NotificationSettings,
)
from notifications.services import MAX_RULES
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.notifications import (
    create_delivery,
    create_event,
    create_notifications,
    create_rule,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

LIST = "/notifications/"
RULES = "/w/contoso/notifications/rules/"
FORM = {"events": ["run_failed", "backup_late"], "in_a_row": "2", "in_app": "on"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def owner_page(owner: User) -> Client:
    client = Client()
    open_session(client, owner)
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


# --- notifications --------------------------------------------------------------------------------


def test_every_page_shows_the_number_of_unread_notifications(
    page: Client, tenant: Tenant, operator: User, owner: User
) -> None:
    create_notifications(tenant, operator)
    create_notifications(tenant, owner)

    html = text(page.get("/w/contoso/runs/"))

    assert "Notifications, unread:</span> 2</a>" in html


def test_the_list_shows_only_own_notifications(
    page: Client, tenant: Tenant, operator: User, owner: User
) -> None:
    own = create_notifications(tenant, operator)
    foreign = Notification.objects.create(
        workspace=tenant.workspace, user=owner, event=create_event(tenant, title="Not for olga")
    )

    html = text(page.get(LIST))

    assert html.count("is-unread") == 2
    assert f'href="{own[0].event.path}"' in html
    assert foreign.event.title not in html
    assert text(page.get(f"{LIST}?show=unread")).count("data-row-link") == 2


def test_notifications_are_marked_as_read(page: Client, tenant: Tenant, operator: User) -> None:
    _, second, third = create_notifications(tenant, operator)

    page.post(f"{LIST}read/", {"notification": second.pk})
    assert Notification.objects.unread().get() == third
    newer = Notification.objects.create(
        workspace=tenant.workspace, user=operator, event=create_event(tenant)
    )
    page.post(f"{LIST}read/", {"up_to": third.pk})

    assert Notification.objects.unread().get() == newer


def test_the_notifications_of_another_member_stay_unread(
    page: Client, tenant: Tenant, owner: User
) -> None:
    foreign = create_notifications(tenant, owner)[2]

    page.post(f"{LIST}read/", {"notification": foreign.pk})
    page.post(f"{LIST}read/", {"up_to": foreign.pk})

    assert Notification.objects.unread().count() == 2


@pytest.mark.parametrize("frequency", Frequency.values)
def test_a_user_chooses_how_often_emails_are_sent(
    page: Client, operator: User, frequency: str
) -> None:
    page.post(f"{LIST}settings/", {"frequency": frequency})
    page.post(f"{LIST}settings/", {"frequency": "never heard of"})

    assert NotificationSettings.objects.get(user=operator).frequency == frequency
    assert f'value="{frequency}" selected' in text(page.get(LIST))


def test_a_bad_cursor_is_refused(page: Client, tenant: Tenant) -> None:
    for address in (LIST, "/w/contoso/notifications/deliveries/"):
        assert page.get(f"{address}?older=x").status_code == 400


# --- rules ----------------------------------------------------------------------------------------


def test_a_member_adds_an_own_rule(page: Client, tenant: Tenant, operator: User) -> None:
    response = page.post(f"{RULES}new/", FORM)

    rule = NotificationRule.objects.get()
    assert response["Location"] == RULES
    assert (rule.owner, rule.tenant, rule.schedule) == (operator, None, None)
    assert (rule.events, rule.in_a_row) == (["run_failed", "backup_late"], 2)
    assert (rule.in_app, rule.email) == (True, False)
    html = text(page.get(RULES))
    assert "Backup later than its objective" in html
    assert "From 2 problems in a row" in html


def test_a_rule_about_a_tenant_or_a_schedule_is_added_on_its_page(
    page: Client, tenant: Tenant
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    for owner_of_link in (tenant, schedule):
        address = owner_of_link.get_absolute_url()
        assert f"{RULES}new/?" in text(page.get(address))

    page.post(f"{RULES}new/?tenant={tenant.pk}", FORM)
    page.post(f"{RULES}new/?schedule={schedule.pk}", FORM | {"events": "run_failed"})

    scopes = NotificationRule.objects.order_by("pk").values_list("tenant", "schedule")
    assert list(scopes) == [(tenant.pk, None), (tenant.pk, schedule.pk)]


def test_a_rule_about_a_schedule_refuses_other_events(page: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)

    response = page.post(f"{RULES}new/?schedule={schedule.pk}", FORM)

    assert response.status_code == 400
    assert not NotificationRule.objects.exists()


def test_foreign_tenants_and_schedules_are_not_found(page: Client, tenant: Tenant) -> None:
    foreign = BackupScheduleFactory(tenant=TenantFactory())

    for query in (f"tenant={foreign.tenant_id}", f"schedule={foreign.pk}", "tenant=x", "schedule="):
        assert page.get(f"{RULES}new/?{query}").status_code == 404
        assert page.post(f"{RULES}new/?{query}", FORM).status_code == 404
    assert not NotificationRule.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"events": "unknown"},
        {"in_a_row": "0"},
        {"in_a_row": "51"},
        {"in_a_row": "x"},
        {"in_app": ""},
    ],
)
def test_a_rule_that_is_not_valid_is_refused(
    page: Client, tenant: Tenant, change: dict[str, Any]
) -> None:
    form = {name: value for name, value in (FORM | change).items() if value}

    response = page.post(f"{RULES}new/", form)

    assert response.status_code == 400
    assert "Nothing was saved." in text(response)
    assert not NotificationRule.objects.exists()


def test_only_an_owner_adds_a_rule_for_all_members(
    page: Client, owner_page: Client, tenant: Tenant
) -> None:
    assert page.post(f"{RULES}new/", FORM | {"is_shared": "on"}).status_code == 403
    assert not NotificationRule.objects.exists()

    owner_page.post(f"{RULES}new/", FORM | {"is_shared": "on"})

    rule = NotificationRule.objects.get()
    assert rule.owner is None
    assert page.get(rule.get_absolute_url()).status_code == 403
    assert page.post(f"{rule.get_absolute_url()}delete/").status_code == 403


def test_the_rule_of_another_member_is_not_found(
    owner_page: Client, tenant: Tenant, operator: User
) -> None:
    address = create_rule(tenant.workspace, owner=operator).get_absolute_url()

    assert owner_page.get(address).status_code == 404
    assert owner_page.post(f"{address}delete/").status_code == 404
    assert "Edit<" not in text(owner_page.get(RULES))


def test_a_rule_is_changed_and_deleted(page: Client, tenant: Tenant, operator: User) -> None:
    rule = create_rule(tenant.workspace, owner=operator, tenant=tenant)

    page.post(rule.get_absolute_url(), FORM | {"email": "on"})
    rule.refresh_from_db()
    assert (rule.events, rule.email) == (["run_failed", "backup_late"], True)
    assert (rule.tenant, rule.owner) == (tenant, operator)
    page.post(f"{rule.get_absolute_url()}delete/")

    assert not NotificationRule.objects.exists()


def test_there_is_a_limit_of_rules(page: Client, tenant: Tenant, operator: User) -> None:
    NotificationRule.objects.bulk_create(
        NotificationRule(
            workspace=tenant.workspace, owner=operator, events=["run_failed"], created_by_name="x"
        )
        for _ in range(MAX_RULES)
    )

    response = page.post(f"{RULES}new/", FORM)

    assert response.status_code == 400
    assert "Delete one first." in text(response)
    assert NotificationRule.objects.count() == MAX_RULES


# --- deliveries -----------------------------------------------------------------------------------


def test_the_deliveries_show_attempts_and_answers(
    page: Client, tenant: Tenant, operator: User
) -> None:
    create_delivery(tenant, operator, attempts=3, answer="The mail server could not be reached.")

    html = text(page.get("/w/contoso/notifications/deliveries/"))

    assert "Email to <bdi>olga</bdi>" in html
    assert "The mail server could not be reached." in html
    assert '<td class="wide-only num">3</td>' in html
