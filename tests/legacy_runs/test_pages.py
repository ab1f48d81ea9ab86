"""Links to legacy runs lead to the right page, and their lists work like the run list."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dev.graph_sandbox.control import SandboxControl
from legacy_runs.addresses import ADDRESSES
from legacy_runs.models import MAX_ID, TABLES, LegacyRunEntry, RunEntry
from legacy_runs.statuses import ENDED
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, TenantFactory, WorkspaceFactory
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run, prune_run
from tests.support.sessions import open_session
from web.keyset import Place

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", TABLES)
EVERY_ADDRESS = pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((f"legacy_{kind}", kind) for kind in TABLES),
        *((name, kind) for name, _, kind in ADDRESSES),
    ],
)
LIST = "/w/contoso/legacy-runs/"
SCHEDULE_RUN = "backup_schedule_run"


@pytest.fixture
def page(client: Client, reader: User) -> Client:
    """Return a client that is signed in as a reader."""
    open_session(client, reader)
    return client


def combined_list(tenant: Tenant) -> str:
    return reverse("tenant_run_list", args=["contoso", tenant.pk])


def listed_urls(client: Client, address: str, **query: Any) -> list[str]:
    """Return the addresses of the rows of a list, in order."""
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content
    return [row.url for row in answer.context["page"].rows]


# --- one row -----------------------------------------------------------------------------------------


@EVERY_ADDRESS
def test_a_row_with_a_run_leads_to_the_run(
    name: str, kind: str, tenant: Tenant, page: Client
) -> None:
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)

    answer = page.get(reverse(name, args=[row.pk]), {"next": "https://evil.example/"})

    assert answer.status_code == 302
    assert answer["Location"] == run.get_absolute_url()


@EVERY_ADDRESS
def test_a_row_without_a_run_is_a_page_marked_as_legacy_run(
    name: str, kind: str, tenant: Tenant, page: Client
) -> None:
    row = create_legacy_run(tenant, kind)

    answer = page.get(reverse(name, args=[row.pk]))

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "This is a legacy run." in text
    assert "It has no run in this installation." in text
    assert "View run" not in text
    assert "/runs/" not in text.split("<main", 1)[1].replace("/w/contoso/runs/", "")


@EVERY_KIND
def test_a_row_whose_run_was_removed_says_so(kind: str, tenant: Tenant, page: Client) -> None:
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)
    prune_run(run)

    text = page.get(row.get_absolute_url()).content.decode()

    assert f"Retention removed its run #{run.pk}." in text


@EVERY_KIND
def test_missing_and_foreign_rows_give_identical_responses(kind: str, page: Client) -> None:
    row = create_legacy_run(TenantFactory(), kind)
    neighbor = TenantFactory()
    mapped = create_legacy_run(neighbor, kind, create_canonical_run(neighbor, kind))

    answers = [
        page.get(reverse(f"legacy_{kind}", args=[legacy_id]))
        for legacy_id in (row.pk, mapped.pk, 2**40, 2**70)
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_row_shows_its_recorded_values(tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(
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


@pytest.mark.parametrize(
    "payload", ['{"keys": 0, "tzinfo": 1}', '["keys", {"tzinfo": "x"}]', "17", '"text"']
)
def test_the_selection_is_shown_as_json(payload: str, tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, selection_payload=payload)

    answer = page.get(row.get_absolute_url())

    assert answer.status_code == 200
    text = re.sub(r"\s+", "", unescape(answer.content.decode()))
    assert payload.replace(" ", "").strip('"') in text
    assert "{'" not in text


def test_a_hash_is_shown_unchanged(tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, selection_hash="q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")

    assert row.selection_hash in page.get(row.get_absolute_url()).content.decode()


@EVERY_KIND
def test_legacy_run_pages_send_no_provider_requests(
    kind: str,
    tenant: Tenant,
    page: Client,
    graph: SandboxControl,
    add_to_graph: Callable[[Tenant], Any],
) -> None:
    """The tenant can be reached, but no request is sent."""
    add_to_graph(tenant)
    mapped, unmapped = (
        create_legacy_run(tenant, kind, create_canonical_run(tenant, kind)),
        create_legacy_run(tenant, kind),
    )
    before = graph.log()

    addresses = (
        mapped.get_absolute_url(),
        unmapped.get_absolute_url(),
        LIST,
        combined_list(tenant),
    )
    statuses = [page.get(address).status_code for address in addresses]

    assert statuses == [302, 200, 200, 200]
    assert graph.log() == before


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_row_page_rejects_writes(method: str, tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant)

    assert getattr(page, method)(row.get_absolute_url()).status_code == 405


# --- lists -------------------------------------------------------------------------------------------


def test_the_list_contains_the_three_tables_newest_first(tenant: Tenant, page: Client) -> None:
    rows = [
        create_legacy_run(tenant, kind, created_at=f"2024-03-0{day}T07:00:00Z")
        for day, kind in enumerate(TABLES, start=1)
    ]
    create_legacy_run(TenantFactory(), "inventory_sync_run")

    assert listed_urls(page, LIST) == [row.get_absolute_url() for row in reversed(rows)]


def test_an_empty_list_says_how_legacy_runs_are_imported(page: Client) -> None:
    text = page.get(LIST).content.decode()

    assert "No legacy runs." in text
    assert "import_legacy_runs" in text


def test_the_list_is_filtered_by_its_address(tenant: Tenant, page: Client) -> None:
    other = TenantFactory(workspace=tenant.workspace, name="Woodgrove")
    old = create_legacy_run(tenant, created_at="2023-01-01T12:00:00Z", status="success")
    failed = create_legacy_run(tenant, "entra_group_sync_run", created_at="2024-01-01T12:00:00Z")
    theirs = create_legacy_run(other, SCHEDULE_RUN, created_at="2025-01-01T12:00:00Z")

    def urls(*rows: Any) -> list[str]:
        return [row.get_absolute_url() for row in rows]

    assert listed_urls(page, LIST, kind="entra_group_sync_run") == urls(failed)
    assert listed_urls(page, LIST, outcome="succeeded") == urls(old)
    assert listed_urls(page, LIST, status="completed") == urls(theirs, failed, old)
    assert listed_urls(page, LIST, status="running") == []
    assert listed_urls(page, LIST, tenant=other.pk) == urls(theirs)
    assert listed_urls(page, LIST, since="2024-01-01") == urls(theirs, failed)
    assert listed_urls(page, LIST, until="2024-01-01") == urls(failed, old)
    assert listed_urls(page, LIST, since="2024-01-01", until="2024-01-01") == urls(failed)


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "nonsense"},
        {"status": "\x00"},
        {"outcome": "success"},
        {"view": "active"},
        {"tenant": "1e9"},
        {"tenant": "99999999"},
        {"tenant": "9" * 40},
        {"q": "\x00"},
        {"q": "x" * 101},
    ],
)
def test_an_invalid_filter_shows_an_error(
    query: dict[str, str], tenant: Tenant, page: Client
) -> None:
    create_legacy_run(tenant)

    answer = page.get(LIST, query)

    assert answer.status_code == 400
    assert b"The filter is not valid." in answer.content
    assert b"data-row" not in answer.content


def test_a_tenant_of_another_workspace_is_no_filter(tenant: Tenant, page: Client) -> None:
    other = TenantFactory()
    create_legacy_run(other)

    assert page.get(LIST, {"tenant": other.pk}).status_code == 400


def test_the_list_is_searched_by_tenant_and_by_number(tenant: Tenant, page: Client) -> None:
    other = TenantFactory(workspace=tenant.workspace, name="Woodgrove")
    theirs, own = (
        create_legacy_run(other, SCHEDULE_RUN),
        create_legacy_run(tenant, run=create_canonical_run(tenant)),
    )

    assert listed_urls(page, LIST, q="woodGROVE") == [theirs.get_absolute_url()]
    assert listed_urls(page, LIST, q=f"#{theirs.pk}") == [theirs.get_absolute_url()]
    assert listed_urls(page, LIST, q=str(own.operation_run_id)) == [own.get_absolute_url()]
    assert listed_urls(page, LIST, q="9" * 40) == []


def test_quick_filters_can_be_set_and_removed(tenant: Tenant, page: Client) -> None:
    mapped = create_legacy_run(tenant, run=create_canonical_run(tenant), status="success")
    partial = create_legacy_run(tenant, status="partial")
    chips = {chip["label"]: chip["url"] for chip in page.get(LIST).context["chips"]}

    assert listed_urls(page, chips["With a run"]) == [mapped.get_absolute_url()]
    assert listed_urls(page, chips["Without a run"]) == [partial.get_absolute_url()]
    assert listed_urls(page, chips["Problems"]) == [partial.get_absolute_url()]
    on = page.get(LIST, {"view": "problems", "q": "fabrikam"}).context["chips"][0]
    assert (on["is_active"], on["url"]) == (True, f"{LIST}?q=fabrikam")


@pytest.mark.parametrize("outcome", ENDED)
def test_an_outcome_matches_every_corresponding_status(
    outcome: str, tenant: Tenant, page: Client
) -> None:
    rows = [
        create_legacy_run(tenant, kind, status=status)
        for kind, model in TABLES.items()
        for status in model.STATUSES
    ]
    wanted = {row.get_absolute_url() for row in rows if row.status in ENDED[outcome]}

    assert wanted
    assert set(listed_urls(page, LIST, outcome=outcome)) == wanted
    assert set(listed_urls(page, combined_list(tenant), outcome=outcome)) == wanted


@pytest.mark.parametrize("name", ["status", "outcome", "kind"])
@pytest.mark.parametrize("where", ["legacy_runs", "combined_list"])
def test_no_filter_offers_the_same_label_twice(
    where: str, name: str, tenant: Tenant, page: Client
) -> None:
    form = (
        page.get(LIST if where == "legacy_runs" else combined_list(tenant)).context["filter"].form
    )
    labels = [label for _, label in form.fields[name].choices] if name in form.fields else []

    assert len(labels) == len(set(labels))


def test_a_tenant_is_found_by_its_key_or_its_name(tenant: Tenant, page: Client) -> None:
    other = TenantFactory(workspace=tenant.workspace, name="Zzz")
    row = create_legacy_run(other)
    create_legacy_run(tenant)

    for text in (other.pk, "zzz"):
        answer = page.get(LIST, {"tenant": text})
        assert [each.url for each in answer.context["page"].rows] == [row.get_absolute_url()]
        assert 'name="tenant" value="Zzz"' in answer.content.decode()


def test_a_page_beyond_the_end_states_that_there_are_no_more_runs(
    tenant: Tenant, page: Client
) -> None:
    create_legacy_run(tenant)
    beyond = Place(dt.datetime(2001, 1, 1, tzinfo=dt.UTC), 1).cursor()

    text = page.get(LIST, {"older": beyond}).content.decode()

    assert "No more runs." in text
    assert "No legacy runs." not in text


def test_the_list_shows_state_duration_and_count(tenant: Tenant, page: Client) -> None:
    create_legacy_run(tenant, status="partial")
    create_legacy_run(tenant, SCHEDULE_RUN, status="half_done", finished_at="")

    text = page.get(LIST).content.decode()

    assert 'data-outcome="partially_succeeded"' in text
    assert "half_done" in text
    assert "55 s" in text
    assert "2 runs" in text


def test_the_oldest_and_the_newest_possible_rows_are_listed(tenant: Tenant, page: Client) -> None:
    """They are listed across several pages, with the largest possible id."""
    for number in range(MAX_ID - 54, MAX_ID + 1):
        create_legacy_run(tenant, SCHEDULE_RUN, id=number, created_at="1970-01-01T00:00:00Z")
    create_legacy_run(tenant, SCHEDULE_RUN, id=0, created_at="2199-12-31T23:59:59.999999Z")

    for address in (LIST, combined_list(tenant)):
        first = page.get(address)
        older = page.get(address, {"older": first.context["page"].older})
        newer = page.get(address, {"newer": older.context["page"].newer})
        assert [answer.status_code for answer in (first, older, newer)] == [200] * 3
        assert len(first.context["rows"]) + len(older.context["rows"]) == 56
    assert page.get(f"/legacy/backup-schedule-runs/{MAX_ID}/").status_code == 200


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "day", ["2026-02-30", "yesterday", "0000-00-00", "99999-01-01", "\x00", "9" * 5000]
)
def test_an_invalid_date_shows_an_error(name: str, day: str, tenant: Tenant, page: Client) -> None:
    create_legacy_run(tenant)

    answer = page.get(LIST, {name: day})

    assert answer.status_code == 400
    assert b"Enter a date in the format" in answer.content


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "9" * 70, "MS4yMw.."])
@pytest.mark.parametrize("way", ["newer", "older"])
def test_an_invalid_page_link_shows_an_error(way: str, cursor: str, page: Client) -> None:
    answer = page.get(LIST, {way: cursor})

    assert answer.status_code == 400
    assert b"The link to this page is not valid" in answer.content


def test_pages_continue_across_tables_without_gaps(tenant: Tenant, page: Client) -> None:
    """Forty rows of three tables, nearly all with the same time."""
    for number in range(40):
        kind = list(TABLES)[number % 3]
        create_legacy_run(tenant, kind, created_at=f"2024-03-08T07:00:{number % 2:02}Z")
    first = page.get(LIST)
    older = first.context["page"].older
    second = page.get(LIST, {"older": older})
    newer = second.context["page"].newer
    back = page.get(LIST, {"newer": newer})

    seen = [row.pk for answer in (first, second) for row in answer.context["page"].rows]
    assert len(seen) == len(set(seen)) == 40
    assert seen == list(LegacyRunEntry.objects.newest_first().values_list("pk", flat=True))
    assert back.context["page"].rows == first.context["page"].rows


def test_the_number_of_queries_does_not_depend_on_the_length_of_the_list(
    tenant: Tenant, page: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        create_legacy_run(tenant)
    page.get(LIST)

    with django_assert_max_num_queries(14):
        page.get(LIST)


# --- runs and legacy runs of a tenant --------------------------------------------------------------------


def test_runs_and_legacy_runs_are_in_one_list_without_duplicates(
    tenant: Tenant, page: Client
) -> None:
    run = create_canonical_run(tenant)
    create_legacy_run(tenant, run=run)
    unmapped = create_legacy_run(tenant, SCHEDULE_RUN)
    OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace), succeeded=True)

    assert listed_urls(page, combined_list(tenant)) == [
        run.get_absolute_url(),
        unmapped.get_absolute_url(),
    ]
    assert listed_urls(page, combined_list(tenant), kind="run") == [run.get_absolute_url()]


def test_one_status_matches_runs_and_legacy_runs(tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunFactory(tenant=tenant, succeeded=True)
    row = create_legacy_run(tenant, status="failed")
    create_legacy_run(tenant, status="success")

    expected = [run.get_absolute_url(), row.get_absolute_url()]
    assert listed_urls(page, combined_list(tenant), outcome="failed") == expected
    assert len(listed_urls(page, combined_list(tenant), status="completed")) == 4


def test_the_combined_list_has_the_quick_filters_of_the_run_list(
    tenant: Tenant, page: Client, reader: User
) -> None:
    create_legacy_run(tenant, status="running")
    create_legacy_run(tenant, status="failed", created_at=timezone.now().isoformat())
    runs = {
        "active": OperationRunFactory(tenant=tenant, running=True),
        "attention": OperationRunFactory(tenant=tenant, failed=True),
        "mine": OperationRunFactory(tenant=tenant, succeeded=True, user=reader),
    }

    for view, run in {**runs, "failed": runs["attention"]}.items():
        assert listed_urls(page, combined_list(tenant), view=view) == [run.get_absolute_url()]


def test_the_combined_list_is_searched_by_initiator_and_by_number(
    tenant: Tenant, page: Client
) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True, initiator_name="Olga")
    row = create_legacy_run(tenant, id=10**9)

    assert listed_urls(page, combined_list(tenant), q="olga") == [run.get_absolute_url()]
    assert listed_urls(page, combined_list(tenant), q="1000000000") == [row.get_absolute_url()]
    assert listed_urls(page, combined_list(tenant), q=str(run.pk)) == [run.get_absolute_url()]


def test_a_run_looks_the_same_in_the_combined_list_and_in_the_run_list(
    tenant: Tenant, page: Client
) -> None:
    OperationRunFactory(tenant=tenant, running=True, initiator_name="Olga")
    create_legacy_run(tenant)

    def row_of(address: str) -> str:
        text = page.get(address).content.decode()
        return text.split("<tr data-row ")[1].split("</tbody>")[0]

    for part in ("Running", "Olga", "12", "of 40", "#"):
        assert part in row_of(combined_list(tenant))
        assert part in row_of("/w/contoso/runs/")


def test_the_combined_list_reads_only_the_rows_that_it_shows(tenant: Tenant, reader: User) -> None:
    for number in range(60):
        create_legacy_run(
            tenant, list(TABLES)[number % 3], created_at=f"2024-03-08T07:00:{number:02}Z"
        )
    OperationRunFactory(tenant=tenant, succeeded=True)
    rows = RunEntry.objects.visible_to(reader).filter(workspace=tenant.workspace, tenant=tenant)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = rows.without_a_run().newest_first()[:51].explain()

    assert "Merge Append" in plan
    for index in ("legacy_inv_tenant", "legacy_grp_tenant", "legacy_bsr_tenant"):
        assert re.search(rf"Index .*Scan.* using {index}", plan), plan


def test_a_row_whose_run_was_removed_returns_to_the_combined_list(
    tenant: Tenant, page: Client
) -> None:
    run = create_canonical_run(tenant)
    row = create_legacy_run(tenant, run=run)
    prune_run(run)

    assert listed_urls(page, combined_list(tenant)) == [row.get_absolute_url()]


def test_the_tenant_page_and_the_menu_link_to_legacy_runs_if_there_are_any(
    tenant: Tenant, page: Client
) -> None:
    before = page.get(tenant.get_absolute_url()).content.decode()
    create_legacy_run(tenant)
    after = page.get(tenant.get_absolute_url()).content.decode()

    assert combined_list(tenant) not in before
    assert LIST not in before
    assert combined_list(tenant) in after
    assert LIST in after


# --- from a run --------------------------------------------------------------------------------------


def test_a_run_links_to_its_legacy_schedule_run(tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, SCHEDULE_RUN)
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row.pk})

    assert row.get_absolute_url() in page.get(run.get_absolute_url()).content.decode()


@pytest.mark.parametrize("whose", ["unknown", "another tenant"])
def test_a_run_links_to_no_schedule_run_of_another_tenant(
    whose: str, tenant: Tenant, page: Client
) -> None:
    other = TenantFactory(workspace=tenant.workspace)
    row_id = 2**40 if whose == "unknown" else create_legacy_run(other, SCHEDULE_RUN).pk
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row_id})

    text = page.get(run.get_absolute_url()).content.decode()

    assert reverse("legacy_backup_schedule_run", args=[row_id]) not in text


# --- the demo ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_demo_has_legacy_runs_with_and_without_runs(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = True
    tenant = TenantFactory(workspace=WorkspaceFactory(slug="alpine"))
    OperationRunFactory(tenant=tenant, type="provider_connection.check", succeeded=True)
    runs = {
        kind: create_canonical_run(tenant, kind, created_at=timezone.now() - dt.timedelta(days=2))
        for kind in TABLES
    }

    call_command("demo_legacy_runs", verbosity=0)
    first = LegacyRunEntry.objects.count()
    call_command("demo_legacy_runs", verbosity=0)

    assert first == LegacyRunEntry.objects.count() == 75
    mapped = LegacyRunEntry.objects.exclude(operation_run_id=None)
    assert {row.kind: row.operation_run_id for row in mapped} == {
        kind: run.pk for kind, run in runs.items()
    }
    assert {row.created_at for row in mapped} == {run.created_at for run in runs.values()}


def test_demo_legacy_runs_are_not_created_in_production(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = False

    with pytest.raises(CommandError, match="only in development"):
        call_command("demo_legacy_runs")
