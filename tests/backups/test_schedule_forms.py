"""The form that adds and edits schedules, with its preview."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backups.models import BackupSchedule
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NEW = "/w/contoso/schedules/new/"


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    open_session(client, manager)
    return client


def form(tenant: Tenant | None = None, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "Nightly",
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "kinds": ["compliance", "conditional_access"],
        "retention_keep_sets": "30",
        "retention_keep_days": "90",
        "misfire_policy": "skip",
        "grace_hours": "6",
    }
    if tenant:
        fields["tenants"] = [tenant.pk]
    return fields | changes


def test_a_schedule_is_added(page: Client, tenant: Tenant) -> None:
    response = page.post(NEW, form(tenant))

    schedule = BackupSchedule.objects.get()
    assert response["Location"] == schedule.get_absolute_url()
    assert (schedule.tenant, schedule.workspace) == (tenant, tenant.workspace)
    assert (schedule.cron, schedule.timezone, schedule.misfire_policy) == (
        "30 2 * * *",
        "Europe/Berlin",
        "skip",
    )
    assert schedule.kinds == ["compliance", "conditional_access"]
    assert schedule.misfire_grace.total_seconds() == 6 * 3600
    assert schedule.next_run_at


def test_the_same_schedule_is_added_to_several_tenants(page: Client, workspace: Workspace) -> None:
    tenants = [TenantFactory(workspace=workspace) for _ in range(3)]

    response = page.post(NEW, form(tenants=[tenant.pk for tenant in tenants]))

    assert response["Location"] == "/w/contoso/schedules/"
    assert {schedule.tenant for schedule in BackupSchedule.objects.all()} == set(tenants)


def test_a_schedule_is_added_to_all_selected_tenants_or_to_none(
    page: Client, workspace: Workspace
) -> None:
    tenant_with_schedule = TenantFactory(workspace=workspace, name="Has one")
    BackupScheduleFactory(tenant=tenant_with_schedule, name="Nightly")
    other = TenantFactory(workspace=workspace)

    response = page.post(NEW, form(tenants=[other.pk, tenant_with_schedule.pk]))

    assert response.status_code == 400
    assert (
        "Has one: This tenant already has a schedule with this name." in response.content.decode()
    )
    assert BackupSchedule.objects.count() == 1


@pytest.fixture
def many_tenants(workspace: Workspace) -> list[Tenant]:
    """More tenants than a form can have fields."""
    return Tenant.objects.bulk_create(
        TenantFactory.build(workspace=workspace, name=f"Tenant {number:04}")
        for number in range(1200)
    )


def test_every_active_tenant_without_the_schedule_gets_it(
    page: Client, many_tenants: list[Tenant]
) -> None:
    BackupScheduleFactory(tenant=many_tenants[0], name="Nightly")
    Tenant.objects.filter(pk=many_tenants[1].pk).update(status="suspended")

    page.get(NEW)
    with CaptureQueriesContext(connection) as captured:
        response = page.post(NEW, form(every="on"))
    # The test is inside of a transaction: each validation has a savepoint.
    statements = [query for query in captured if "SAVEPOINT" not in query["sql"]]

    assert len(statements) <= 15, [query["sql"][:100] for query in statements]
    assert response.status_code == 302
    assert BackupSchedule.objects.count() == 1199
    assert not BackupSchedule.objects.filter(tenant=many_tenants[1]).exists()
    assert BackupSchedule.objects.filter(spread_seconds__gt=0, next_run_at=None).count() == 0
    assert BackupSchedule.objects.values("spread_seconds").distinct().count() > 1


def test_an_error_is_shown_if_every_tenant_has_the_schedule(page: Client, tenant: Tenant) -> None:
    BackupScheduleFactory(tenant=tenant, name="Nightly")

    response = page.post(NEW, form(every="on"))

    assert response.status_code == 400
    assert "Every active tenant already has a schedule with this name" in response.content.decode()


def test_the_form_shows_the_first_tenants_and_finds_the_others(
    page: Client, many_tenants: list[Tenant]
) -> None:
    entered = form(name="Custom", tenants=[many_tenants[7].pk], find="Tenant 11", find_tenants="1")

    first = page.get(NEW).content.decode()
    response = page.post(NEW, entered)

    results = response.content.decode()
    assert first.count('name="tenants"') == 50
    assert response.status_code == 200
    assert "Tenant 1150" not in first
    assert "Tenant 1149" in results
    assert f'name="tenants" value="{many_tenants[7].pk}"' in results
    assert re.search(rf'value="{many_tenants[7].pk}"[^>]* checked', results)
    assert 'value="Custom"' in results
    assert "field-error" not in results
    assert not BackupSchedule.objects.exists()


def test_the_tenant_of_a_link_is_selected_whatever_its_position(
    page: Client, many_tenants: list[Tenant]
) -> None:
    text = page.get(f"{NEW}?tenant={many_tenants[-1].pk}").content.decode()

    assert re.search(rf'value="{many_tenants[-1].pk}"[^>]* checked', text)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 10_000},
        {"name": "a\x00b"},
        {"cron": "* * * *"},
        {"cron": "61 * * * *"},
        {"cron": "0 0 31 2 *"},
        {"cron": "x" * 10_000},
        {"cron": "* * * * *; drop table"},
        {"timezone": "../../etc/passwd"},
        {"timezone": "localtime"},
        {"timezone": "x" * 5000},
        {"timezone": "\x00"},
        {"kinds": []},
        {"kinds": ["compliance", "nonsense"]},
        {"retention_keep_sets": "0"},
        {"retention_keep_sets": str(2**63)},
        {"retention_keep_sets": "9" * 5000},
        {"retention_keep_days": "-1"},
        {"retention_keep_days": "1.5"},
        {"misfire_policy": "Skip"},
        {"grace_hours": "-1"},
        {"grace_hours": "100000"},
        {"tenants": []},
        {"tenants": ["9" * 30]},
        {"tenants": ["abc"]},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_invalid_value_is_an_error_of_its_field(
    page: Client, tenant: Tenant, changes: dict[str, Any]
) -> None:
    response = page.post(NEW, form(tenant, **changes))

    assert response.status_code == 400
    assert b"field-error" in response.content
    assert not BackupSchedule.objects.exists()


def test_a_tenant_of_another_workspace_is_rejected_like_an_unknown_one(
    page: Client, workspace: Workspace
) -> None:
    foreign, missing = TenantFactory().pk, 2**40

    messages = [
        page.post(NEW, form(tenants=[pk]))
        .content.decode()
        .count("Select a tenant of this workspace")
        for pk in (foreign, missing)
    ]

    assert messages == [1, 1]
    assert not BackupSchedule.objects.exists()


def test_a_preview_shows_five_slots_and_saves_nothing(page: Client, tenant: Tenant) -> None:
    response = page.post(NEW, form(tenant, preview="1"))

    text = response.content.decode()
    assert response.status_code == 200
    assert text.count("02:30 (UTC") == 5
    assert "The schedule is not saved yet" in text
    assert not BackupSchedule.objects.exists()


def test_a_preview_of_invalid_values_shows_the_errors(page: Client, tenant: Tenant) -> None:
    response = page.post(NEW, form(tenant, cron="99 * * * *", preview="1"))

    assert response.status_code == 400
    assert b"Next runs" not in response.content


@pytest.mark.parametrize("query", ["?cron=0+4+*+*+0", "?cron=nonsense", "?tenant=abc&tenant=%00"])
def test_a_preset_fills_the_form(page: Client, workspace: Workspace, query: str) -> None:
    text = page.get(NEW + query).content.decode()

    assert ("0 4 * * 0" if "0+4" in query else "30 2 * * *") in text


def test_a_changed_schedule_gets_a_new_next_slot(page: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, name="Old")
    before = schedule.next_run_at

    response = page.post(f"{schedule.get_absolute_url()}edit/", form(name="New", cron="0 5 * * *"))

    schedule.refresh_from_db()
    assert response["Location"] == schedule.get_absolute_url()
    assert (schedule.name, schedule.cron) == ("New", "0 5 * * *")
    assert schedule.next_run_at != before


def test_a_rejected_change_has_no_effect(page: Client, tenant: Tenant) -> None:
    BackupScheduleFactory(tenant=tenant, name="Taken")
    schedule = BackupScheduleFactory(tenant=tenant, name="Old")

    response = page.post(f"{schedule.get_absolute_url()}edit/", form(name="Taken"))

    schedule.refresh_from_db()
    assert response.status_code == 400
    assert schedule.name == "Old"


@pytest.mark.parametrize(
    ("selected", "stored"),
    [
        (["conditional_access", "settings_catalog"], ["settings_catalog", "conditional_access"]),
        (
            ["compliance", "conditional_access", "settings_catalog"],
            ["settings_catalog", "conditional_access", "compliance"],
        ),
        (["conditional_access"], ["conditional_access"]),
    ],
)
def test_kinds_that_stay_keep_their_order(
    page: Client, tenant: Tenant, selected: list[str], stored: list[str]
) -> None:
    """The history of the schedule would show another order as a change of the scope."""
    kinds = ["settings_catalog", "conditional_access"]
    schedule = BackupScheduleFactory(tenant=tenant, kinds=kinds)

    page.post(f"{schedule.get_absolute_url()}edit/", form(kinds=selected))

    schedule.refresh_from_db()
    assert schedule.kinds == stored


def test_the_form_shows_the_values_of_the_schedule(page: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, cron="7 3 * * 2", kinds=["compliance"])

    text = page.get(f"{schedule.get_absolute_url()}edit/").content.decode()

    assert 'value="7 3 * * 2"' in text
    assert text.count("checked") == 1
