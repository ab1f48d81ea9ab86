"""A schedule is added and changed through its form, and previewed before."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

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
    answer = page.post(NEW, form(tenant))

    made = BackupSchedule.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    assert (made.tenant, made.workspace) == (tenant, tenant.workspace)
    assert (made.cron, made.timezone, made.misfire_policy) == (
        "30 2 * * *",
        "Europe/Berlin",
        "skip",
    )
    assert made.kinds == ["compliance", "conditional_access"]
    assert made.misfire_grace.total_seconds() == 6 * 3600
    assert made.next_run_at


def test_the_same_schedule_is_added_to_several_tenants(page: Client, workspace: Workspace) -> None:
    tenants = [TenantFactory(workspace=workspace) for _ in range(3)]

    answer = page.post(NEW, form(tenants=[tenant.pk for tenant in tenants]))

    assert answer["Location"] == "/w/contoso/schedules/"
    assert {made.tenant for made in BackupSchedule.objects.all()} == set(tenants)


def test_for_several_tenants_it_is_all_or_none(page: Client, workspace: Workspace) -> None:
    has_one = TenantFactory(workspace=workspace, name="Has one")
    BackupScheduleFactory(tenant=has_one, name="Nightly")
    other = TenantFactory(workspace=workspace)

    answer = page.post(NEW, form(tenants=[other.pk, has_one.pk]))

    assert answer.status_code == 400
    assert "Has one: This tenant already has a schedule with this name." in answer.content.decode()
    assert BackupSchedule.objects.count() == 1


@pytest.fixture
def many(workspace: Workspace) -> list[Tenant]:
    """More tenants than a form may have fields."""
    return Tenant.objects.bulk_create(
        TenantFactory.build(workspace=workspace, name=f"Tenant {number:04}")
        for number in range(1200)
    )


def test_every_active_tenant_that_lacks_it_gets_the_schedule(
    page: Client, many: list[Tenant], django_assert_max_num_queries: Any
) -> None:
    BackupScheduleFactory(tenant=many[0], name="Nightly")
    Tenant.objects.filter(pk=many[1].pk).update(status="suspended")

    with django_assert_max_num_queries(40):
        answer = page.post(NEW, form(every="on"))

    assert answer.status_code == 302
    assert BackupSchedule.objects.count() == 1199
    assert not BackupSchedule.objects.filter(tenant=many[1]).exists()
    assert BackupSchedule.objects.filter(spread_seconds__gt=0, next_run_at=None).count() == 0
    assert BackupSchedule.objects.values("spread_seconds").distinct().count() > 1


def test_where_every_tenant_has_it_that_is_said(page: Client, tenant: Tenant) -> None:
    BackupScheduleFactory(tenant=tenant, name="Nightly")

    answer = page.post(NEW, form(every="on"))

    assert answer.status_code == 400
    assert "Every active tenant already has a schedule with this name" in answer.content.decode()


def test_of_many_tenants_the_first_are_shown_and_the_others_are_found(
    page: Client, many: list[Tenant]
) -> None:
    typed = form(name="Of my own", tenants=[many[7].pk], find="Tenant 11", find_tenants="1")

    first = page.get(NEW).content.decode()
    answer = page.post(NEW, typed)

    found = answer.content.decode()
    assert first.count('name="tenants"') == 50
    assert answer.status_code == 200
    assert "Tenant 1150" not in first
    assert "Tenant 1149" in found
    assert f'name="tenants" value="{many[7].pk}"' in found
    assert re.search(rf'value="{many[7].pk}"[^>]* checked', found)
    assert 'value="Of my own"' in found
    assert "field-error" not in found
    assert not BackupSchedule.objects.exists()


def test_the_tenant_of_a_link_is_ticked_wherever_it_stands(
    page: Client, many: list[Tenant]
) -> None:
    text = page.get(f"{NEW}?tenant={many[-1].pk}").content.decode()

    assert re.search(rf'value="{many[-1].pk}"[^>]* checked', text)


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
def test_what_cannot_be_is_told_at_its_field(
    page: Client, tenant: Tenant, changes: dict[str, Any]
) -> None:
    answer = page.post(NEW, form(tenant, **changes))

    assert answer.status_code == 400
    assert b"field-error" in answer.content
    assert not BackupSchedule.objects.exists()


def test_somebody_elses_tenant_is_no_tenant(page: Client, workspace: Workspace) -> None:
    foreign, missing = TenantFactory().pk, 2**40

    told = [
        page.post(NEW, form(tenants=[pk]))
        .content.decode()
        .count("Select a tenant of this workspace")
        for pk in (foreign, missing)
    ]

    assert told == [1, 1]
    assert not BackupSchedule.objects.exists()


def test_a_preview_shows_five_slots_and_saves_nothing(page: Client, tenant: Tenant) -> None:
    answer = page.post(NEW, form(tenant, preview="1"))

    text = answer.content.decode()
    assert answer.status_code == 200
    assert text.count("02:30 (UTC") == 5
    assert "The schedule is not saved yet" in text
    assert not BackupSchedule.objects.exists()


def test_a_preview_of_nonsense_says_what_is_wrong(page: Client, tenant: Tenant) -> None:
    answer = page.post(NEW, form(tenant, cron="99 * * * *", preview="1"))

    assert answer.status_code == 400
    assert b"Next runs" not in answer.content


@pytest.mark.parametrize("query", ["?cron=0+4+*+*+0", "?cron=nonsense", "?tenant=abc&tenant=%00"])
def test_a_preset_fills_the_form(page: Client, workspace: Workspace, query: str) -> None:
    text = page.get(NEW + query).content.decode()

    assert ("0 4 * * 0" if "0+4" in query else "30 2 * * *") in text


def test_a_schedule_is_changed_and_waits_for_its_new_slot(page: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, name="Old")
    before = schedule.next_run_at

    answer = page.post(f"{schedule.get_absolute_url()}edit/", form(name="New", cron="0 5 * * *"))

    schedule.refresh_from_db()
    assert answer["Location"] == schedule.get_absolute_url()
    assert (schedule.name, schedule.cron) == ("New", "0 5 * * *")
    assert schedule.next_run_at != before


def test_a_change_that_is_refused_changes_nothing(page: Client, tenant: Tenant) -> None:
    BackupScheduleFactory(tenant=tenant, name="Taken")
    schedule = BackupScheduleFactory(tenant=tenant, name="Old")

    answer = page.post(f"{schedule.get_absolute_url()}edit/", form(name="Taken"))

    schedule.refresh_from_db()
    assert answer.status_code == 400
    assert schedule.name == "Old"


def test_the_form_shows_what_the_schedule_says(page: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, cron="7 3 * * 2", kinds=["compliance"])

    text = page.get(f"{schedule.get_absolute_url()}edit/").content.decode()

    assert 'value="7 3 * * 2"' in text
    assert text.count("checked") == 1
