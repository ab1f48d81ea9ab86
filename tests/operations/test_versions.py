"""The versions of live sections: an unchanged one is a 204 before anything is rendered."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from operations.events import Event
from operations.models import EventLevel, Incident, ListSettings, OperationRun
from operations.presentation.layout import COLUMNS
from operations.presentation.row_versions import NOT_SHOWN
from operations.progress import ItemResult
from operations.services import OperationRunService
from operations.states import ItemOutcome
from operations.views import detail, listing
from operations.views import overview as overview_views
from providers.models import ProviderConnection
from tenancy import clock, versions
from tenancy.db import database_now
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import OperationRunFactory, TenantFactory, create_member
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish
from tests.support.factories.incidents import create_incident
from tests.support.factories.operations import create_queued_run, create_running_run
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("same_minute")]

LIST, OVERVIEW = "/w/contoso/runs/", "/w/contoso/"
HTMX = {"HX-Request": "true"}
Change = Callable[[Tenant], object]


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def run(tenant: Tenant) -> OperationRun:
    """The active run whose page and row are open, after one that was assigned."""
    otto = create_member(tenant.workspace, Role.OPERATOR, username="otto")
    failed = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunService().acknowledge(failed, by=otto, assignee=otto)
    return create_running_run(tenant)


def never(*_: object, **__: object) -> None:
    raise AssertionError("rendered")


def the_run() -> OperationRun:
    return OperationRun.objects.latest("pk")


def update_run(**columns: object) -> Change:
    return lambda _: OperationRun.objects.filter(pk=the_run().pk).update(**columns)


def url_of(page: Client, path: str, part: str) -> str:
    """Return the address with which a page refreshes its section."""
    match = re.search(f'id="{part}" hx-get="([^"]+)"', page.get(path).content.decode())
    assert match
    return html.unescape(match[1])


def status_after(page: Client, url: str, change: Change, tenant: Tenant) -> int:
    """Check that the section is current, change something, and request the section again."""
    assert page.get(url, headers=HTMX).status_code == 204
    change(tenant)
    return page.get(url, headers=HTMX).status_code


def rename_assignee(_: Tenant) -> None:
    User.objects.filter(username="otto").update(username="ottilie")


def acknowledge_oldest(_: Tenant) -> None:
    failed = OperationRun.objects.filter(outcome="failed").earliest("pk")
    OperationRunService().acknowledge(failed, by=User.objects.get(username="olga"))


def age_heartbeat(_: Tenant) -> None:
    older = F("heartbeat_at") - dt.timedelta(hours=1)
    OperationRun.objects.filter(pk=the_run().pk).update(heartbeat_at=older)


def heartbeat(_: Tenant) -> None:
    OperationRunService().heartbeat(the_run().pk)


def rename(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(name="Fabrikam Europe")


def rename_workspace(tenant: Tenant) -> None:
    Workspace.objects.filter(pk=tenant.workspace_id).update(name="Contoso Group")


def change_role(tenant: Tenant) -> None:
    Membership.objects.filter(workspace=tenant.workspace).update(role=Role.READER)


def change_zone(_: Tenant) -> None:
    User.objects.update(timezone="Asia/Tokyo")


def complete(_: Tenant) -> None:
    OperationRunService().complete(the_run().pk)


# --- list --------------------------------------------------------------------------------------


CHANGES_OF_ROWS: dict[str, Change] = {
    "another run": lambda tenant: create_queued_run(tenant, 2),
    "its end": complete,
    "its counts": lambda _: OperationRunService().increment_summary_counts(the_run().pk, total=7),
    "a request to cancel": lambda tenant: OperationRunService().request_cancel(
        the_run(), by=User.objects.get(username="olga")
    ),
    "the name of an assignee": rename_assignee,
    "its lease": age_heartbeat,
    "the name of its tenant": rename,
    "the name of the workspace": rename_workspace,
    "the role of the user": change_role,
    "the time zone of the user": change_zone,
    "the columns of the user": lambda _: ListSettings.objects.create(
        user=User.objects.get(username="olga"), columns="state,worker", density="compact"
    ),
    "its worker": update_run(worker="worker-2"),
}


@pytest.mark.parametrize("change", CHANGES_OF_ROWS.values(), ids=CHANGES_OF_ROWS)
def test_rows_have_another_version_after(
    page: Client, tenant: Tenant, run: OperationRun, change: Change
) -> None:
    url = url_of(page, LIST, "run-rows")

    assert status_after(page, url, change, tenant) == 200


def test_unchanged_rows_need_three_statements_and_no_rendering(
    page: Client, run: OperationRun, monkeypatch: Any, django_assert_num_queries: Any
) -> None:
    url = url_of(page, LIST, "run-rows")
    monkeypatch.setattr(listing, "read_list", never)
    monkeypatch.setattr(listing, "live_section", never)

    with django_assert_num_queries(3):
        response = page.get(url, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")


def test_a_heartbeat_changes_no_row(page: Client, tenant: Tenant, run: OperationRun) -> None:
    url = url_of(page, LIST, "run-rows")

    assert status_after(page, url, heartbeat, tenant) == 204


def test_what_is_not_part_of_the_version_is_not_shown(
    page: Client, tenant: Tenant, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that differ in these fields only have equal rows."""

    def rows() -> str:
        """Return the rows without ages and durations, which grow; each has its exact time beside."""
        return re.sub("[^>]*</time>", "", page.get(LIST).context["rows"].body)

    run = create_running_run(tenant)
    now = database_now()
    monkeypatch.setattr(clock, "database_now", lambda: now)  # the duration is shown too
    columns = ",".join(COLUMNS)
    ListSettings.objects.create(user=operator, columns=columns, density="comfortable")
    before = rows()
    times = dict.fromkeys(("updated_at", "published_at", "heartbeat_at"), run.created_at)
    OperationRun.objects.filter(pk=run.pk).update(**times, publish_attempts=7)

    assert rows() == before
    assert {field.name for field in OperationRun._meta.concrete_fields} >= NOT_SHOWN


def test_a_filter_that_no_longer_matches_changes_the_rows(
    page: Client, tenant: Tenant, run: OperationRun
) -> None:
    url = url_of(page, f"{LIST}?status=running&tenant={tenant.pk}", "run-rows")

    assert status_after(page, url, complete, tenant) == 200


def test_the_number_of_runs_on_other_pages_is_part_of_the_version(
    page: Client, tenant: Tenant
) -> None:
    OperationRunFactory.create_batch(52, tenant=tenant, failed=True)
    url = url_of(page, f"{LIST}?view=attention", "run-rows")

    assert status_after(page, url, acknowledge_oldest, tenant) == 200


def test_rows_of_all_workspaces_change_with_a_new_membership(
    page: Client, tenant: Tenant, operator: User, run: OperationRun
) -> None:
    url = url_of(page, "/runs/", "run-rows")
    other = OperationRunFactory()

    def join(_: Tenant) -> None:
        Membership.objects.create(user=operator, workspace=other.workspace, role=Role.READER)

    assert status_after(page, url, join, tenant) == 200


@pytest.mark.parametrize("path", [LIST, "/runs/", OVERVIEW])
def test_no_user_has_the_version_of_another(
    page: Client, tenant: Tenant, run: OperationRun, path: str
) -> None:
    name = "panels" if path == OVERVIEW else "run-rows"
    url = url_of(page, path, name)
    other = open_session(Client(), create_member(tenant.workspace, Role.OPERATOR))

    assert other.get(url, headers=HTMX).status_code == 200


@pytest.mark.parametrize("path", [LIST, OVERVIEW])
def test_who_has_left_the_workspace_gets_no_204(
    page: Client, tenant: Tenant, run: OperationRun, path: str
) -> None:
    url = url_of(page, path, "panels" if path == OVERVIEW else "run-rows")

    def leave(_: Tenant) -> None:
        Membership.objects.filter(user__username="olga").delete()

    assert status_after(page, url, leave, tenant) == 404


# --- run -----------------------------------------------------------------------------------------


def report_item(_: Tenant) -> None:
    OperationRunService().record_items(the_run().pk, [ItemResult("a", ItemOutcome.SUCCEEDED)])


def add_event(_: Tenant) -> None:
    OperationRunService().add_event(the_run().pk, Event("wait", "Waited", EventLevel.INFO))


CHANGES_OF_RUN: dict[str, Change] = {
    "its phase": lambda _: OperationRunService().update_run(the_run().pk, phase="Reading"),
    "its counts": lambda _: OperationRunService().increment_summary_counts(the_run().pk, total=7),
    "an item": report_item,
    "an event": add_event,
    "a heartbeat": heartbeat,
    "its end": complete,
    "its lease": age_heartbeat,
    "a request to cancel": CHANGES_OF_ROWS["a request to cancel"],
    "the name of its tenant": rename,
    "the name of the workspace": rename_workspace,
    "the role of the user": change_role,
    "the time zone of the user": change_zone,
    "the name of a schedule": lambda tenant: BackupScheduleFactory(tenant=tenant),
}


@pytest.mark.parametrize("change", CHANGES_OF_RUN.values(), ids=CHANGES_OF_RUN)
def test_a_running_run_has_another_version_after(
    page: Client, tenant: Tenant, run: OperationRun, change: Change
) -> None:
    url = url_of(page, run.get_absolute_url(), "run-live")

    assert status_after(page, url, change, tenant) == 200


def publish(_: Tenant) -> None:
    run = the_run()
    OperationRun.objects.filter(pk=run.pk).update(published_at=run.created_at)


def start_other(tenant: Tenant) -> None:
    queued = OperationRun.objects.filter(status="queued").earliest("pk")
    OperationRunService().claim(queued.pk, "worker-1")


@pytest.mark.parametrize("change", [publish, start_other], ids=["published", "other run started"])
def test_a_queued_run_has_another_version_after(
    page: Client, tenant: Tenant, change: Change
) -> None:
    create_queued_run(tenant, 2)
    queued = create_queued_run(tenant)
    url = url_of(page, queued.get_absolute_url(), "run-live")

    assert status_after(page, url, change, tenant) == 200


def test_an_unchanged_run_needs_two_statements_and_no_rendering(
    page: Client, run: OperationRun, monkeypatch: Any, django_assert_num_queries: Any
) -> None:
    url = url_of(page, run.get_absolute_url(), "run-live")
    monkeypatch.setattr(detail, "load_timeline", never)
    monkeypatch.setattr(detail, "live_section", never)

    with django_assert_num_queries(2):
        response = page.get(url, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")


# --- overview ----------------------------------------------------------------------------------


def archive(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(status="suspended")


def settle(_: Tenant) -> None:
    Incident.objects.update(settled_runs=F("settled_runs") + 1)


CHANGES_OF_OVERVIEW: dict[str, Change] = {
    "another run": lambda tenant: create_queued_run(tenant, 2),
    "the end of a run": complete,
    "the counts of a run": CHANGES_OF_RUN["its counts"],
    "the lease of a run": age_heartbeat,
    "an acknowledgment": acknowledge_oldest,
    "the counts of an incident": settle,
    "a tenant": lambda tenant: TenantFactory(workspace=tenant.workspace),
    "the name of a tenant": rename,
    "a suspended tenant": archive,
    "a schedule": lambda tenant: BackupScheduleFactory(tenant=tenant),
    "a connection": lambda tenant: ProviderConnectionFactory(
        tenant=TenantFactory(workspace=tenant.workspace)
    ),
    "the result of a check": lambda _: ProviderConnection.objects.update(status="failing"),
    "the role of the user": change_role,
    "the time zone of the user": change_zone,
    "the name of the workspace": rename_workspace,
}


@pytest.fixture
def with_history(tenant: Tenant) -> None:
    ProviderConnectionFactory(tenant=tenant, status="ready")
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))
    OperationRunFactory(tenant=tenant, failed=True)
    create_incident(tenant)


@pytest.mark.parametrize("change", CHANGES_OF_OVERVIEW.values(), ids=CHANGES_OF_OVERVIEW)
def test_the_overview_has_another_version_after(
    page: Client, tenant: Tenant, with_history: None, run: OperationRun, change: Change
) -> None:
    url = url_of(page, OVERVIEW, "panels")

    assert status_after(page, url, change, tenant) == 200


def test_a_heartbeat_changes_no_panel(
    page: Client, tenant: Tenant, with_history: None, run: OperationRun
) -> None:
    url = url_of(page, OVERVIEW, "panels")

    assert status_after(page, url, heartbeat, tenant) == 204


def test_an_unchanged_overview_needs_three_statements_and_no_rendering(
    page: Client, with_history: None, monkeypatch: Any, django_assert_num_queries: Any
) -> None:
    url = url_of(page, OVERVIEW, "panels")
    monkeypatch.setattr(overview_views, "panels_for", never)

    with django_assert_num_queries(3):
        response = page.get(url, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")


# --- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "name"), [(LIST, "run-rows"), (OVERVIEW, "panels")])
def test_a_version_ends_after_a_minute(
    page: Client, run: OperationRun, path: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "MINUTE", 60)
    url = url_of(page, path, name)
    now = database_now()

    monkeypatch.setattr(versions, "request_now", lambda: now + dt.timedelta(seconds=60))

    assert page.get(url, headers=HTMX).status_code == 200


def test_pages_are_rendered_again_in_different_seconds_of_a_minute(
    page: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "MINUTE", 60)
    addresses = [f"{LIST}?since=2026-01-{day}" for day in range(10, 30)]
    start = database_now().replace(second=0, microsecond=0)

    def versions_at(second: int) -> list[str]:
        now = start + dt.timedelta(seconds=second)
        monkeypatch.setattr(versions, "request_now", lambda: now)
        return [page.get(path).context["rows"].seen for path in addresses]

    first, second, third = (versions_at(second) for second in (0, 30, 60))

    assert 0 < sum(a != b for a, b in zip(first, second, strict=True)) < 20
    assert all(a != b for a, b in zip(first, third, strict=True))
