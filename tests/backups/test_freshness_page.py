"""The page of freshness: every tenant with its state, its filters, its order and its export."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backups.history import PastSlot
from backups.models import BackupSchedule, SetStatus
from backups.sparkline import SLOTS, build_sparkline
from operations.models import OperationRun
from operations.states import RunOutcome
from tenancy.clock import request_now
from tenancy.db import database_now
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory, failure
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
ADDRESS = "/w/contoso/freshness/"


def add_tenant(
    workspace: Workspace, name: str, hours_ago: float | None, **schedule: Any
) -> BackupSchedule:
    """Create a tenant with a daily schedule and a complete set of this age."""
    created: BackupSchedule = BackupScheduleFactory(
        tenant=TenantFactory(workspace=workspace, name=name), name="Daily", **schedule
    )
    if hours_ago is not None:
        at = database_now() - hours_ago * HOUR
        finish(BackupSetFactory(schedule=created, started_at=at), ended_at=at)
    return created


@pytest.fixture
def fleet(workspace: Workspace) -> Workspace:
    """Tenants in each state; those of another workspace and suspended ones are not listed."""
    now = database_now()
    add_tenant(workspace, "Fresh", 3, due=now + 5 * HOUR)
    add_tenant(workspace, "Late", 100, due=now + 4 * HOUR)
    add_tenant(workspace, "Never", None, due=now + 3 * HOUR)
    add_tenant(workspace, "Unscheduled", 5, paused=True)
    half = add_tenant(workspace, "Incomplete", 20, due=now + 2 * HOUR)
    partial = BackupSetFactory(schedule=half)
    BackupItemFactory(backup_set=partial, missed=True)
    finish(partial, SetStatus.INCOMPLETE, item_count=1, incomplete_count=1)
    suspended = add_tenant(workspace, "Suspended", None)
    Tenant.objects.filter(pk=suspended.tenant_id).update(status=TenantStatus.SUSPENDED)
    BackupScheduleFactory(tenant__name="Foreign")
    return workspace


@pytest.fixture
def page(client: Client, reader: User, fleet: Workspace) -> Client:
    return open_session(client, reader)


def listed(client: Client, query: str = "") -> list[str]:
    html = client.get(f"{ADDRESS}{query}").content.decode()
    return re.findall(r"data-row-link[^>]*><bdi>([^<]*)</bdi>", html)


def test_every_active_tenant_is_listed_the_stalest_first(page: Client) -> None:
    assert listed(page) == ["Never", "Late", "Incomplete", "Unscheduled", "Fresh"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=late", ["Late"]),
        ("?state=never", ["Never"]),
        ("?state=unscheduled", ["Unscheduled"]),
        ("?state=incomplete", ["Incomplete"]),
        ("?q=LATE", ["Late"]),
        ("?q=nothing", []),
        ("?state=late&q=never", []),
        ("?sort=name", ["Fresh", "Incomplete", "Late", "Never", "Unscheduled"]),
        ("?sort=newest", ["Fresh", "Unscheduled", "Incomplete", "Late", "Never"]),
        ("?sort=next", ["Incomplete", "Never", "Late", "Fresh", "Unscheduled"]),
    ],
)
def test_the_list_is_filtered_and_sorted(page: Client, query: str, names: list[str]) -> None:
    assert listed(page, query) == names


def test_the_export_has_the_tenants_of_the_filter(page: Client) -> None:
    lines = b"".join(page.get(f"{ADDRESS}export.csv?state=late")).decode().splitlines()

    (row,) = csv.DictReader(lines)

    assert row["tenant"] == "Late"
    assert row["state"] == "late"
    assert row["age_hours"] == "100.0"
    assert (row["objective_hours"], row["objective_set_for"]) == ("24", "workspace")
    assert row["next_slot"]
    everything = b"".join(page.get(f"{ADDRESS}export.csv")).decode().splitlines()
    assert len(everything) == 6


def test_a_cell_of_the_export_is_no_formula(
    client: Client, reader: User, workspace: Workspace
) -> None:
    add_tenant(workspace, "=1+1", None)

    body = b"".join(open_session(client, reader).get(f"{ADDRESS}export.csv")).decode()

    assert "'=1+1" in body


@pytest.mark.parametrize(
    "query",
    ["?state=fresh", "?state=\x00", "?sort=age", "?sort=-name", "?q=%00", f"?q={'x' * 101}"],
)
@pytest.mark.parametrize("path", ["", "export.csv"])
def test_nonsense_is_refused(page: Client, query: str, path: str) -> None:
    response = page.get(f"{ADDRESS}{path}{query}")

    assert response.status_code == 400
    assert "The filter is not valid" in response.content.decode()
    assert listed(page, query) == []


def test_a_page_number_that_does_not_exist_shows_the_nearest_one(page: Client) -> None:
    assert listed(page, "?page=99") == listed(page, "?page=x") == listed(page)


def test_the_last_attempt_has_its_cause(client: Client, reader: User, workspace: Workspace) -> None:
    tenant = add_tenant(workspace, "Fabrikam", 3).tenant
    now = database_now()
    context = {"scheduled_for": "2026-03-08T07:00Z", "backup_schedule_id": 1}
    for hours, traits in ((4, {"succeeded": True}), (2, {"failed": True})):
        OperationRunFactory(
            tenant=tenant,
            type="backup_schedule.scheduled",
            context=context | {"backup_schedule_id": hours},
            created_at=now - hours * HOUR,
            **traits,
        )
    newest = OperationRunFactory(
        tenant=tenant,
        type="backup_schedule.retry",
        failed=True,
        failure_summary=[failure("service_unavailable", "It failed.", 3)],
    )
    OperationRunFactory(tenant=tenant, type="inventory.sync", succeeded=True)

    html = open_session(client, reader).get(ADDRESS).content.decode()

    assert newest.get_absolute_url() in html
    assert "Microsoft Graph unavailable" in html
    assert "Last 2 slots: 1 succeeded, 1 failed" in html


def test_a_sparkline_has_thirty_slots_at_most(workspace: Workspace) -> None:
    slots = [PastSlot(f"2020-03-{day:02}T07:00Z", RunOutcome.SUCCEEDED) for day in range(1, 4)]
    slots.append(PastSlot("2020-03-04T07:00Z", RunOutcome.PENDING))

    line = build_sparkline(slots, dt.UTC)

    assert line.text == "Last 4 slots: 3 succeeded, 1 active"
    successes, active = line.bars
    assert successes.path == "M132 20v-10M137 20v-10M142 20v-10"
    assert (active.path, active.text) == ("M147 20V0", "4 Mar 2020, 07:00: active")
    assert line.width == SLOTS * 5
    assert build_sparkline([], dt.UTC).text == "No slots yet"


def test_a_run_for_several_slots_counts_as_often(
    client: Client, reader: User, workspace: Workspace
) -> None:
    tenant = add_tenant(workspace, "Fabrikam", 3).tenant
    repeated = {"slots": 40, "first": "2026-03-08T07:00Z", "last": "2026-04-16T07:00Z"}
    OperationRunFactory(
        tenant=tenant,
        type="backup_schedule.scheduled",
        blocked=True,
        context={
            "scheduled_for": "2026-03-08T07:00Z",
            "backup_schedule_id": 1,
            "repeated": repeated,
        },
    )

    assert "Last 30 slots: 30 blocked" in open_session(client, reader).get(ADDRESS).content.decode()


def test_a_page_of_a_large_workspace_takes_few_statements(
    client: Client,
    reader: User,
    workspace: Workspace,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    Tenant.objects.bulk_create(TenantFactory.build(workspace=workspace) for _ in range(500))
    add_tenant(workspace, "Fresh", 3)
    open_session(client, reader)

    # The overview has panels of every app.
    budgets = {ADDRESS: 15, f"{ADDRESS}?state=never&sort=next": 15, "/w/contoso/": 15}
    for address, budget in budgets.items():
        with django_assert_max_num_queries(budget, info=address):
            assert client.get(address).status_code == 200, address

    assert len(listed(client)) == 50


def test_the_overview_links_to_each_number(page: Client) -> None:
    html = page.get("/w/contoso/").content.decode()

    for state in ("late", "never", "unscheduled"):
        assert re.search(rf'href="{ADDRESS}\?state={state}"><strong[^>]*>1</strong>', html), state
    assert "View all 5 tenants" in html


def test_the_overview_the_page_and_the_tenant_agree(page: Client) -> None:
    for name, word in (("Late", "Late"), ("Never", "Never"), ("Fresh", "Fresh")):
        tenant = Tenant.objects.get(name=name)
        badge = rf"</svg>{word}</span>"
        row = page.get(f"{ADDRESS}?q={name}").content.decode()
        assert re.search(badge, row), name
        assert re.search(badge, page.get(tenant.get_absolute_url()).content.decode()), name
        assert re.search(badge, page.get("/w/contoso/").content.decode()), name


def test_times_of_the_list_show_the_age_first_within_a_day(page: Client) -> None:
    html = page.get(f"{ADDRESS}?q=late").content.decode()
    last = re.search(r"4 days ago", html)

    assert last
    at = request_now() - 100 * HOUR
    assert f"{at.day} {at:%b}" in html
    assert html.index(f"{at.day} {at:%b}") < last.start()
    fresh = page.get(f"{ADDRESS}?q=fresh").content.decode()
    assert re.search(r'>3 h ago</time><span class="sub"><time', fresh)


def test_active_runs_are_no_attempts_that_failed(
    client: Client, reader: User, workspace: Workspace
) -> None:
    tenant = add_tenant(workspace, "Fabrikam", 3).tenant
    running = OperationRunFactory(tenant=tenant, type="backup_schedule.run_now", running=True)
    assert OperationRun.objects.get(pk=running.pk).is_running

    html = open_session(client, reader).get(ADDRESS).content.decode()

    assert "Running" in html
