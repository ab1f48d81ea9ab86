"""Every link to history ends at the right place, and its lists are like the run list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from legacy_runs.addresses import OLDER
from legacy_runs.models import TABLES, HistoryEntry
from tenancy.models import Tenant, User
from tests.factories import OperationRunFactory, TenantFactory
from tests.legacy_runs.factories import a_row
from tests.legacy_runs.test_guards import remove

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", TABLES)
EVERY_ADDRESS = pytest.mark.parametrize(
    ("name", "kind"),
    [*((f"legacy_{kind}", kind) for kind in TABLES), *((name, kind) for name, _, kind in OLDER)],
)
LIST = "/w/contoso/history/"
SCHEDULE_RUN = "backup_schedule_run"


@pytest.fixture
def page(client: Client, reader: User) -> Client:
    """Signed in as somebody who may only look."""
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    return client


def timeline(tenant: Tenant) -> str:
    return reverse("tenant_history", args=["contoso", tenant.pk])


def shown(client: Client, address: str, **query: Any) -> list[str]:
    """The addresses of the rows of a list, in order."""
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content
    return [row.url for row in answer.context["page"].rows]


# --- one row -----------------------------------------------------------------------------------------


@EVERY_ADDRESS
def test_a_row_with_a_run_leads_to_the_run(
    name: str, kind: str, tenant: Tenant, page: Client
) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    row = a_row(tenant, kind, operation_run_id=run.pk)

    answer = page.get(reverse(name, args=[row.pk]), {"next": "https://evil.example/"})

    assert answer.status_code == 302
    assert answer["Location"] == run.get_absolute_url()


@EVERY_ADDRESS
def test_a_row_without_a_run_is_a_page_marked_as_history(
    name: str, kind: str, tenant: Tenant, page: Client
) -> None:
    row = a_row(tenant, kind)

    answer = page.get(reverse(name, args=[row.pk]))

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "This is history." in text
    assert "No run of this installation belongs to it." in text
    assert "View run" not in text
    assert "/runs/" not in text.split("<main", 1)[1].replace("/w/contoso/runs/", "")


@EVERY_KIND
def test_a_row_whose_run_was_removed_says_so(kind: str, tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    row = a_row(tenant, kind, operation_run_id=run.pk)
    remove(run)

    text = page.get(row.get_absolute_url()).content.decode()

    assert f"It belonged to run #{run.pk}, which was removed by retention." in text


@EVERY_KIND
def test_missing_and_foreign_are_the_same_to_the_byte(kind: str, page: Client) -> None:
    row = a_row(TenantFactory(), kind)
    mapped = a_row(
        (run := OperationRunFactory(succeeded=True)).tenant, kind, operation_run_id=run.pk
    )

    answers = [
        page.get(reverse(f"legacy_{kind}", args=[legacy_id]))
        for legacy_id in (row.pk, mapped.pk, 2**40, 2**70)
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_row_shows_what_was_recorded(tenant: Tenant, page: Client) -> None:
    row = a_row(
        tenant,
        SCHEDULE_RUN,
        status="partial",
        error_code="GRAPH_429",
        error_message="<script>alert(1)</script>",
        summary='{"policies_total": 40}',
    )

    text = page.get(row.get_absolute_url()).content.decode()

    assert "Completed with errors" in text
    assert "GRAPH_429" in text
    assert "policies_total" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_row_is_only_looked_at(method: str, tenant: Tenant, page: Client) -> None:
    row = a_row(tenant)

    assert getattr(page, method)(row.get_absolute_url()).status_code == 405


# --- lists -------------------------------------------------------------------------------------------


def test_the_list_holds_the_three_tables_newest_first(tenant: Tenant, page: Client) -> None:
    rows = [
        a_row(tenant, kind, created_at=f"2024-03-0{day}T07:00:00Z")
        for day, kind in enumerate(TABLES, start=1)
    ]
    a_row(TenantFactory(), "inventory_sync_run")

    assert shown(page, LIST) == [row.get_absolute_url() for row in reversed(rows)]


def test_an_empty_list_says_how_history_comes_here(page: Client) -> None:
    text = page.get(LIST).content.decode()

    assert "Nothing was imported" in text
    assert "import_legacy_runs" in text


def test_the_list_is_filtered_by_its_address(tenant: Tenant, page: Client) -> None:
    other = TenantFactory(workspace=tenant.workspace, name="Woodgrove")
    old = a_row(tenant, created_at="2023-01-01T12:00:00Z", status="success")
    failed = a_row(tenant, "entra_group_sync_run", created_at="2024-01-01T12:00:00Z")
    theirs = a_row(other, SCHEDULE_RUN, created_at="2025-01-01T12:00:00Z")

    def urls(*rows: Any) -> list[str]:
        return [row.get_absolute_url() for row in rows]

    assert shown(page, LIST, kind="entra_group_sync_run") == urls(failed)
    assert shown(page, LIST, status="success") == urls(old)
    assert shown(page, LIST, tenant=other.pk) == urls(theirs)
    assert shown(page, LIST, since="2024-01-01") == urls(theirs, failed)
    assert shown(page, LIST, until="2024-01-01") == urls(failed, old)
    assert shown(page, LIST, since="2024-01-01", until="2024-01-01") == urls(failed)
    assert shown(page, LIST, kind="nonsense", status="\x00", tenant="1e9") == urls(
        theirs, failed, old
    )


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "day", ["2026-02-30", "yesterday", "0000-00-00", "99999-01-01", "2024-1-1", "\x00", "9" * 5000]
)
def test_a_date_that_is_none_is_told(name: str, day: str, tenant: Tenant, page: Client) -> None:
    a_row(tenant)

    answer = page.get(LIST, {name: day})

    assert answer.status_code == 400
    assert b"A date looks like" in answer.content


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "9" * 70, "MS4yMw.."])
@pytest.mark.parametrize("way", ["newer", "older"])
def test_a_damaged_page_link_is_told(way: str, cursor: str, page: Client) -> None:
    answer = page.get(LIST, {way: cursor})

    assert answer.status_code == 400
    assert b"This page link is damaged" in answer.content


def test_pages_go_on_where_the_last_one_ended_across_tables(tenant: Tenant, page: Client) -> None:
    """Sixty rows of three tables, all at one instant but a few."""
    for number in range(60):
        kind = list(TABLES)[number % 3]
        a_row(tenant, kind, created_at=f"2024-03-08T07:00:{number % 2:02}Z")
    first = page.get(LIST)
    older = first.context["page"].older
    second = page.get(LIST, {"older": older})
    newer = second.context["page"].newer
    back = page.get(LIST, {"newer": newer})

    seen = [row.pk for answer in (first, second) for row in answer.context["page"].rows]
    assert len(seen) == len(set(seen)) == 60
    assert seen == list(HistoryEntry.objects.newest_first().values_list("pk", flat=True))
    assert back.context["page"].rows == first.context["page"].rows


def test_a_list_costs_the_same_however_long_it_is(
    tenant: Tenant, page: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        a_row(tenant)
    page.get(LIST)

    with django_assert_max_num_queries(14):
        page.get(LIST)


# --- runs and history of a tenant --------------------------------------------------------------------


def test_runs_and_history_stand_in_one_list_and_none_twice(tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    a_row(tenant, operation_run_id=run.pk)
    unmapped = a_row(tenant, SCHEDULE_RUN)
    OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace), succeeded=True)

    assert shown(page, timeline(tenant)) == [run.get_absolute_url(), unmapped.get_absolute_url()]
    assert shown(page, timeline(tenant), kind="run") == [run.get_absolute_url()]


def test_one_status_finds_runs_and_history(tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunFactory(tenant=tenant, succeeded=True)
    row = a_row(tenant, status="failed")
    a_row(tenant, status="success")

    expected = [run.get_absolute_url(), row.get_absolute_url()]
    assert shown(page, timeline(tenant), status="failed") == expected
    assert len(shown(page, timeline(tenant), status="completed")) == 4, "no such choice"


def test_a_row_whose_run_was_removed_comes_back_into_the_timeline(
    tenant: Tenant, page: Client
) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    row = a_row(tenant, operation_run_id=run.pk)
    remove(run)

    assert shown(page, timeline(tenant)) == [row.get_absolute_url()]


def test_the_tenant_s_page_and_the_menu_lead_to_history_where_there_is_any(
    tenant: Tenant, page: Client
) -> None:
    before = page.get(tenant.get_absolute_url()).content.decode()
    a_row(tenant)
    after = page.get(tenant.get_absolute_url()).content.decode()

    assert timeline(tenant) not in before
    assert LIST not in before
    assert timeline(tenant) in after
    assert LIST in after


# --- from a run --------------------------------------------------------------------------------------


def test_a_run_leads_to_its_schedule_run_of_before(tenant: Tenant, page: Client) -> None:
    row = a_row(tenant, SCHEDULE_RUN)
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row.pk})

    assert row.get_absolute_url() in page.get(run.get_absolute_url()).content.decode()


@pytest.mark.parametrize("whose", ["nobody", "another tenant"])
def test_a_run_leads_to_no_schedule_run_that_is_not_its_tenant_s(
    whose: str, tenant: Tenant, page: Client
) -> None:
    other = TenantFactory(workspace=tenant.workspace)
    row_id = 2**40 if whose == "nobody" else a_row(other, SCHEDULE_RUN).pk
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row_id})

    text = page.get(run.get_absolute_url()).content.decode()

    assert reverse("legacy_backup_schedule_run", args=[row_id]) not in text


# --- the demo ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_demo_has_history_with_and_without_runs(settings: Any) -> None:
    from tests.factories import WorkspaceFactory

    settings.DEMO_DATA_ALLOWED = True
    tenant = TenantFactory(workspace=WorkspaceFactory(slug="alpine"))
    OperationRunFactory(
        tenant=tenant, succeeded=True, created_at=timezone.now() - dt.timedelta(days=2)
    )

    call_command("demo_history", verbosity=0)
    first = HistoryEntry.objects.count()
    call_command("demo_history", verbosity=0)

    assert first == HistoryEntry.objects.count() == 75
    assert 0 < HistoryEntry.objects.exclude(operation_run_id=None).count() < first / 2


def test_the_demo_s_history_is_not_made_in_production(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = False

    with pytest.raises(CommandError, match="only in development"):
        call_command("demo_history")
