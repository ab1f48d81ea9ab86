"""Every link to history ends at the right place, and its lists are like the run list."""

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
from legacy_runs.models import MAX_ID, TABLES, HistoryEntry, TimelineEntry
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
    """Signed in as a reader."""
    open_session(client, reader)
    return client


def timeline(tenant: Tenant) -> str:
    return reverse("tenant_run_list", args=["contoso", tenant.pk])


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
def test_missing_and_foreign_are_the_same_to_the_byte(kind: str, page: Client) -> None:
    row = create_legacy_run(TenantFactory(), kind)
    neighbor = TenantFactory()
    mapped = create_legacy_run(neighbor, kind, create_canonical_run(neighbor, kind))

    answers = [
        page.get(reverse(f"legacy_{kind}", args=[legacy_id]))
        for legacy_id in (row.pk, mapped.pk, 2**40, 2**70)
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_row_shows_what_was_recorded(tenant: Tenant, page: Client) -> None:
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
def test_whatever_was_selected_is_shown_as_json(payload: str, tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, selection_payload=payload)

    answer = page.get(row.get_absolute_url())

    assert answer.status_code == 200
    text = re.sub(r"\s+", "", unescape(answer.content.decode()))
    assert payload.replace(" ", "").strip('"') in text
    assert "{'" not in text


def test_a_hash_is_shown_to_the_letter(tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, selection_hash="q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")

    assert row.selection_hash in page.get(row.get_absolute_url()).content.decode()


@EVERY_KIND
def test_no_page_of_history_asks_a_provider(
    kind: str,
    tenant: Tenant,
    page: Client,
    graph: SandboxControl,
    add_to_graph: Callable[[Tenant], Any],
) -> None:
    """The tenant can be reached, and is not."""
    add_to_graph(tenant)
    mapped, unmapped = (
        create_legacy_run(tenant, kind, create_canonical_run(tenant, kind)),
        create_legacy_run(tenant, kind),
    )
    before = graph.log()

    addresses = (mapped.get_absolute_url(), unmapped.get_absolute_url(), LIST, timeline(tenant))
    statuses = [page.get(address).status_code for address in addresses]

    assert statuses == [302, 200, 200, 200]
    assert graph.log() == before


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_row_is_only_looked_at(method: str, tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant)

    assert getattr(page, method)(row.get_absolute_url()).status_code == 405


# --- lists -------------------------------------------------------------------------------------------


def test_the_list_holds_the_three_tables_newest_first(tenant: Tenant, page: Client) -> None:
    rows = [
        create_legacy_run(tenant, kind, created_at=f"2024-03-0{day}T07:00:00Z")
        for day, kind in enumerate(TABLES, start=1)
    ]
    create_legacy_run(TenantFactory(), "inventory_sync_run")

    assert shown(page, LIST) == [row.get_absolute_url() for row in reversed(rows)]


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

    assert shown(page, LIST, kind="entra_group_sync_run") == urls(failed)
    assert shown(page, LIST, outcome="succeeded") == urls(old)
    assert shown(page, LIST, status="completed") == urls(theirs, failed, old)
    assert shown(page, LIST, status="running") == []
    assert shown(page, LIST, tenant=other.pk) == urls(theirs)
    assert shown(page, LIST, since="2024-01-01") == urls(theirs, failed)
    assert shown(page, LIST, until="2024-01-01") == urls(failed, old)
    assert shown(page, LIST, since="2024-01-01", until="2024-01-01") == urls(failed)


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

    assert shown(page, LIST, q="woodGROVE") == [theirs.get_absolute_url()]
    assert shown(page, LIST, q=f"#{theirs.pk}") == [theirs.get_absolute_url()]
    assert shown(page, LIST, q=str(own.operation_run_id)) == [own.get_absolute_url()]
    assert shown(page, LIST, q="9" * 40) == []


def test_quick_views_narrow_the_list_and_are_taken_off_again(tenant: Tenant, page: Client) -> None:
    mapped = create_legacy_run(tenant, run=create_canonical_run(tenant), status="success")
    partial = create_legacy_run(tenant, status="partial")
    chips = {chip["label"]: chip["url"] for chip in page.get(LIST).context["chips"]}

    assert shown(page, chips["With a run"]) == [mapped.get_absolute_url()]
    assert shown(page, chips["Without a run"]) == [partial.get_absolute_url()]
    assert shown(page, chips["Problems"]) == [partial.get_absolute_url()]
    on = page.get(LIST, {"view": "problems", "q": "fabrikam"}).context["chips"][0]
    assert (on["is_active"], on["url"]) == (True, f"{LIST}?q=fabrikam")


@pytest.mark.parametrize("outcome", ENDED)
def test_an_outcome_finds_every_word_that_means_it(
    outcome: str, tenant: Tenant, page: Client
) -> None:
    rows = [
        create_legacy_run(tenant, kind, status=status)
        for kind, model in TABLES.items()
        for status in model.STATUSES
    ]
    wanted = {row.get_absolute_url() for row in rows if row.status in ENDED[outcome]}

    assert wanted
    assert set(shown(page, LIST, outcome=outcome)) == wanted
    assert set(shown(page, timeline(tenant), outcome=outcome)) == wanted


@pytest.mark.parametrize("name", ["status", "outcome", "kind", "tenant"])
@pytest.mark.parametrize("where", ["history", "timeline"])
def test_no_menu_offers_the_same_word_twice(
    where: str, name: str, tenant: Tenant, page: Client
) -> None:
    form = page.get(LIST if where == "history" else timeline(tenant)).context["filter"].form
    labels = [label for _, label in form.fields[name].choices] if name in form.fields else []

    assert len(labels) == len(set(labels))


def test_a_tenant_beyond_the_menu_stays_chosen(tenant: Tenant, page: Client) -> None:
    for number in range(201):
        TenantFactory(workspace=tenant.workspace, name=f"A{number:03}")
    last = TenantFactory(workspace=tenant.workspace, name="Zzz")
    row = create_legacy_run(last)
    create_legacy_run(tenant)

    answer = page.get(LIST, {"tenant": last.pk})

    assert [each.url for each in answer.context["page"].rows] == [row.get_absolute_url()]
    assert f'<option value="{last.pk}" selected>Zzz</option>' in answer.content.decode()


def test_a_page_beyond_the_end_says_that_there_is_nothing_more(
    tenant: Tenant, page: Client
) -> None:
    create_legacy_run(tenant)
    beyond = Place(dt.datetime(2001, 1, 1, tzinfo=dt.UTC), 1).cursor()

    text = page.get(LIST, {"older": beyond}).content.decode()

    assert "No more runs." in text
    assert "No legacy runs." not in text


def test_a_row_shows_its_state_how_long_it_took_and_how_many_there_are(
    tenant: Tenant, page: Client
) -> None:
    create_legacy_run(tenant, status="partial")
    create_legacy_run(tenant, SCHEDULE_RUN, status="half_done", finished_at="")

    text = page.get(LIST).content.decode()

    assert 'data-outcome="partially_succeeded"' in text
    assert "half_done" in text
    assert "55 s" in text
    assert "2 runs" in text


def test_the_oldest_and_the_newest_row_there_can_be_are_listed(
    tenant: Tenant, page: Client
) -> None:
    """Over several pages, and with the largest number."""
    for number in range(MAX_ID - 54, MAX_ID + 1):
        create_legacy_run(tenant, SCHEDULE_RUN, id=number, created_at="1970-01-01T00:00:00Z")
    create_legacy_run(tenant, SCHEDULE_RUN, id=0, created_at="2199-12-31T23:59:59.999999Z")

    for address in (LIST, timeline(tenant)):
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


def test_pages_go_on_where_the_last_one_ended_across_tables(tenant: Tenant, page: Client) -> None:
    """Sixty rows of three tables, all at one instant but a few."""
    for number in range(60):
        kind = list(TABLES)[number % 3]
        create_legacy_run(tenant, kind, created_at=f"2024-03-08T07:00:{number % 2:02}Z")
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
        create_legacy_run(tenant)
    page.get(LIST)

    with django_assert_max_num_queries(14):
        page.get(LIST)


# --- runs and history of a tenant --------------------------------------------------------------------


def test_runs_and_legacy_runs_are_in_one_list_without_duplicates(
    tenant: Tenant, page: Client
) -> None:
    run = create_canonical_run(tenant)
    create_legacy_run(tenant, run=run)
    unmapped = create_legacy_run(tenant, SCHEDULE_RUN)
    OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace), succeeded=True)

    assert shown(page, timeline(tenant)) == [run.get_absolute_url(), unmapped.get_absolute_url()]
    assert shown(page, timeline(tenant), kind="run") == [run.get_absolute_url()]


def test_one_status_finds_runs_and_history(tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)
    OperationRunFactory(tenant=tenant, succeeded=True)
    row = create_legacy_run(tenant, status="failed")
    create_legacy_run(tenant, status="success")

    expected = [run.get_absolute_url(), row.get_absolute_url()]
    assert shown(page, timeline(tenant), outcome="failed") == expected
    assert len(shown(page, timeline(tenant), status="completed")) == 4


def test_the_timeline_has_the_quick_views_of_the_run_list(
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
        assert shown(page, timeline(tenant), view=view) == [run.get_absolute_url()]


def test_the_timeline_is_searched_by_initiator_and_by_number(tenant: Tenant, page: Client) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True, initiator_name="Olga")
    row = create_legacy_run(tenant, id=10**9)

    assert shown(page, timeline(tenant), q="olga") == [run.get_absolute_url()]
    assert shown(page, timeline(tenant), q="1000000000") == [row.get_absolute_url()]
    assert shown(page, timeline(tenant), q=str(run.pk)) == [run.get_absolute_url()]


def test_a_run_looks_in_the_timeline_as_it_does_in_the_run_list(
    tenant: Tenant, page: Client
) -> None:
    OperationRunFactory(tenant=tenant, running=True, initiator_name="Olga")
    create_legacy_run(tenant)

    def row_of(address: str) -> str:
        text = page.get(address).content.decode()
        return text.split("<tr data-row>")[1].split("</tr>")[0]

    for part in ("Running", "Olga", "12", "of 40", "#"):
        assert part in row_of(timeline(tenant))
        assert part in row_of("/w/contoso/runs/")


def test_the_timeline_reads_no_more_history_than_it_shows(tenant: Tenant, reader: User) -> None:
    for number in range(60):
        create_legacy_run(
            tenant, list(TABLES)[number % 3], created_at=f"2024-03-08T07:00:{number:02}Z"
        )
    OperationRunFactory(tenant=tenant, succeeded=True)
    rows = TimelineEntry.objects.visible_to(reader).filter(
        workspace=tenant.workspace, tenant=tenant
    )

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = rows.without_a_run().newest_first()[:51].explain()

    assert "Merge Append" in plan
    for index in ("legacy_inv_tenant", "legacy_grp_tenant", "legacy_bsr_tenant"):
        assert re.search(rf"Index .*Scan.* using {index}", plan), plan


def test_a_row_whose_run_was_removed_comes_back_into_the_timeline(
    tenant: Tenant, page: Client
) -> None:
    run = create_canonical_run(tenant)
    row = create_legacy_run(tenant, run=run)
    prune_run(run)

    assert shown(page, timeline(tenant)) == [row.get_absolute_url()]


def test_the_tenant_s_page_and_the_menu_lead_to_history_where_there_is_any(
    tenant: Tenant, page: Client
) -> None:
    before = page.get(tenant.get_absolute_url()).content.decode()
    create_legacy_run(tenant)
    after = page.get(tenant.get_absolute_url()).content.decode()

    assert timeline(tenant) not in before
    assert LIST not in before
    assert timeline(tenant) in after
    assert LIST in after


# --- from a run --------------------------------------------------------------------------------------


def test_a_run_leads_to_its_schedule_run_of_before(tenant: Tenant, page: Client) -> None:
    row = create_legacy_run(tenant, SCHEDULE_RUN)
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row.pk})

    assert row.get_absolute_url() in page.get(run.get_absolute_url()).content.decode()


@pytest.mark.parametrize("whose", ["unknown", "another tenant"])
def test_a_run_leads_to_no_schedule_run_that_is_not_its_tenant_s(
    whose: str, tenant: Tenant, page: Client
) -> None:
    other = TenantFactory(workspace=tenant.workspace)
    row_id = 2**40 if whose == "unknown" else create_legacy_run(other, SCHEDULE_RUN).pk
    run = OperationRunFactory(tenant=tenant, context={"backup_schedule_run_id": row_id})

    text = page.get(run.get_absolute_url()).content.decode()

    assert reverse("legacy_backup_schedule_run", args=[row_id]) not in text


# --- the demo ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_demo_has_history_with_and_without_runs(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = True
    tenant = TenantFactory(workspace=WorkspaceFactory(slug="alpine"))
    OperationRunFactory(tenant=tenant, type="provider_connection.check", succeeded=True)
    runs = {
        kind: create_canonical_run(tenant, kind, created_at=timezone.now() - dt.timedelta(days=2))
        for kind in TABLES
    }

    call_command("demo_history", verbosity=0)
    first = HistoryEntry.objects.count()
    call_command("demo_history", verbosity=0)

    assert first == HistoryEntry.objects.count() == 75
    mapped = HistoryEntry.objects.exclude(operation_run_id=None)
    assert {row.kind: row.operation_run_id for row in mapped} == {
        kind: run.pk for kind, run in runs.items()
    }
    assert {row.created_at for row in mapped} == {run.created_at for run in runs.values()}


def test_the_demo_s_history_is_not_made_in_production(settings: Any) -> None:
    settings.DEMO_DATA_ALLOWED = False

    with pytest.raises(CommandError, match="only in development"):
        call_command("demo_history")
