"""The list of runs: filters, keyset pages, live rows and the CSV export."""

from __future__ import annotations

import csv
import datetime as dt
import io
from itertools import chain

import pytest
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations.filters import RunFilter
from operations.models import ListSettings, OperationRun
from operations.reasons import get_reason
from operations.services import OperationRunService
from operations.views import listing
from tenancy.filtering import render_fields
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    OperationRunFactory,
    TenantFactory,
    WorkspaceFactory,
)
from tests.support.factories.operations import create_ended_run
from tests.support.sessions import open_session
from web import csv_export
from web.keyset import BadCursor, Place, capped_count, older_than, page_of
from web.statement_timeout import TookTooLong, statement_timeout

LIST = "/w/contoso/runs/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    """A client that is signed in as olga, an operator of Contoso."""
    open_session(client, operator)
    return client


def run_ids(html: bytes) -> list[int]:
    """Return the ids of the runs on a page, from top to bottom."""
    return [int(part.split(b'"')[0]) for part in html.split(b'id="run-')[1:] if part[:1].isdigit()]


def test_the_first_page_of_a_process_changes_nothing_that_other_threads_read(page, tenant):
    before = {name: set(vars(each)) for name, each in RunFilter.base_filters.items()}
    RunFilter.get_form_class.cache_clear()

    page.get(LIST)

    assert {name: set(vars(each)) for name, each in RunFilter.base_filters.items()} == before
    assert not any("_field" in names for names in before.values())


def test_the_form_of_a_list_without_a_filter_is_as_the_form_of_one_with_empty_values(
    page, operator
):
    run_filter = RunFilter(
        QueryDict("q=&type="),
        queryset=OperationRun.objects.all(),
        user=operator,
        tenants=Tenant.objects.all(),
        zone=dt.UTC,
    )

    assert not run_filter.is_set
    assert run_filter.fields_html == render_fields(run_filter.form)
    assert run_filter.fields_html in page.get(LIST).content.decode()


def test_the_columns_of_a_list_can_change_between_two_requests(page, tenant, operator):
    OperationRunFactory(tenant=tenant, failed=True)
    service = OperationRunService()
    service.acknowledge(OperationRun.objects.get(), by=operator, assignee=operator)
    first = page.get(LIST)
    ListSettings.objects.create(user=operator, columns="state,assignee", density="compact")

    with CaptureQueriesContext(connection) as captured:
        second = page.get(LIST)

    assert b"class=assignee" not in first.content
    assert b"<td class=assignee>olga" in second.content
    # The rows have their users along.
    assert not [each for each in captured if each["sql"].startswith('SELECT "users"')]


def test_the_newest_run_comes_first_with_its_tenant_and_outcome(page, tenant):
    older = OperationRunFactory(tenant=tenant, succeeded=True)
    newer = OperationRunFactory(tenant=tenant, failed=True)

    response = page.get(LIST)

    assert run_ids(response.content) == [newer.pk, older.pk]
    assert b"Fabrikam" in response.content
    assert b"data-outcome=failed>" in response.content


def test_a_workspace_lists_only_its_runs(page, tenant, operator):
    other = WorkspaceFactory(slug="other")
    MembershipFactory(user=operator, workspace=other, role=Role.READER)
    run, elsewhere = (
        OperationRunFactory(tenant=tenant),
        OperationRunFactory(tenant__workspace=other),
    )
    foreign = OperationRunFactory()

    assert run_ids(page.get(LIST).content) == [run.pk]
    assert run_ids(page.get("/runs/").content) == [elsewhere.pk, run.pk]
    assert str(foreign.tenant.name).encode() not in page.get("/runs/").content


def test_a_foreign_workspace_does_not_exist(page, stranger):
    assert page.get("/w/elsewhere/runs/").content == page.get("/w/nowhere/runs/").content
    assert page.get("/w/elsewhere/runs/").status_code == 404


FILTERS = [
    ("view=active", {"queued", "running"}),
    ("view=attention", {"failed", "partial", "blocked"}),
    ("view=mine", {"own"}),
    ("view=failed", {"failed", "partial", "blocked"}),
    ("status=queued", {"queued"}),
    ("status=completed", {"succeeded", "failed", "partial", "blocked", "cancelled", "own"}),
    ("outcome=failed", {"failed"}),
    ("outcome=cancelled", {"cancelled"}),
    ("type=backup_schedule.retry", {"own"}),
    ("q=olga", {"own"}),
    ("since=2026-03-08&until=2026-03-08", {"cancelled"}),
    ("status=queued&status=running", {"running"}),
    ("nonsense=1&_connector=OR&workspace=999&ordering=context__x", None),
    ("", None),
]


@pytest.fixture
def every_kind(tenant: Tenant, operator: User) -> dict[str, OperationRun]:
    march = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
    return {
        "queued": OperationRunFactory(tenant=tenant),
        "running": OperationRunFactory(tenant=tenant, running=True),
        "succeeded": OperationRunFactory(tenant=tenant, succeeded=True),
        "failed": OperationRunFactory(tenant=tenant, failed=True),
        "partial": OperationRunFactory(tenant=tenant, partial=True),
        "blocked": OperationRunFactory(tenant=tenant, blocked=True),
        "cancelled": OperationRunFactory(tenant=tenant, cancelled=True, created_at=march),
        "own": OperationRunFactory(
            tenant=tenant,
            succeeded=True,
            user=operator,
            initiator_name="olga",
            type="backup_schedule.retry",
        ),
    }


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters_are_query_parameters(page, every_kind, query, names):
    response = page.get(f"{LIST}?{query}")

    expected = set(every_kind) if names is None else names
    assert set(run_ids(response.content)) == {every_kind[name].pk for name in expected}


def test_the_text_filter_finds_a_run_by_number_and_tenant(page, every_kind, tenant):
    other = OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace, name="Northwind"))

    assert run_ids(page.get(f"{LIST}?q=%23{other.pk}").content) == [other.pk]
    assert run_ids(page.get(f"{LIST}?q=northw").content) == [other.pk]
    assert run_ids(page.get(f"{LIST}?tenant={other.tenant_id}").content) == [other.pk]


def test_the_cause_is_a_column_a_filter_and_part_of_the_search(page, tenant):
    causes = ("permission_missing:Policy.Read.All", "permission_missing", "missed")
    policy, other, missed = (
        OperationRunFactory(tenant=tenant, failed=True, cause=cause) for cause in causes
    )

    rows = page.get(LIST).content.decode()
    assert 'href="/w/contoso/runs/?cause=permission_missing%3APolicy.Read.All"' in rows
    assert "Permission missing: Policy.Read.All" in rows
    for query, runs in (
        ("cause=permission_missing", [other, policy]),
        ("cause=permission_missing%3APolicy.Read.All", [policy]),
        ("cause=missed", [missed]),
        ("cause=throttled", []),
        ("q=Policy.Read", [policy]),
        ("q=permission%20MISS", [other, policy]),
    ):
        assert run_ids(page.get(f"{LIST}?{query}").content) == [run.pk for run in runs], query


def test_runs_that_are_assigned_to_the_user_are_a_quick_filter(page, tenant, operator, manager):
    runs = [create_ended_run(tenant, number, total=1, processed=1, failed=1) for number in range(3)]
    service = OperationRunService()
    for run, assignee in zip(runs, (operator, operator, manager), strict=True):
        service.acknowledge(run, by=manager, assignee=assignee)
    create_ended_run(tenant, 0, total=1, processed=1, succeeded=1)

    for address in (LIST, f"/w/contoso/tenants/{tenant.pk}/runs/"):
        html = page.get(f"{address}?view=assigned").content
        assert run_ids(html) == [runs[1].pk], address


def test_a_selected_cause_with_a_detail_is_named_in_the_filter(page, tenant):
    response = page.get(f"{LIST}?cause=permission_missing:Policy.Read.All").content.decode()

    assert 'name="cause" value="Permission missing: Policy.Read.All"' in response


def test_a_date_filter_uses_the_time_zone_of_the_workspace(page, tenant):
    Workspace.objects.update(timezone="Pacific/Auckland")
    late = OperationRunFactory(
        tenant=tenant, created_at=dt.datetime(2026, 3, 7, 23, 30, tzinfo=dt.UTC)
    )

    assert run_ids(page.get(f"{LIST}?since=2026-03-08&until=2026-03-08").content) == [late.pk]


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("since=2026-03-08&since_hour=3", [3, 4]),
        ("until=2026-03-08&until_hour=3", [1, 2]),
        ("since=2026-03-08&since_hour=2&until=2026-03-08&until_hour=4", [2, 3]),
        ("since=2026-03-08&since_hour=0&until=2026-03-09&until_hour=0", [1, 2, 3, 4]),
        ("since=2026-03-08&since_hour=&until=2026-03-08&until_hour=", [1, 2, 3, 4]),
    ],
)
def test_a_date_filter_has_an_hour(page, tenant, query, hours):
    runs = {
        OperationRunFactory(
            tenant=tenant, created_at=dt.datetime(2026, 3, 8, hour, 30, tzinfo=dt.UTC)
        ).pk: hour
        for hour in (1, 2, 3, 4)
    }

    listed = run_ids(page.get(f"{LIST}?{query}").content)
    exported = read_csv(page.get(f"{LIST}export.csv?{query}"))

    assert sorted(runs[pk] for pk in listed) == hours
    assert sorted(runs[int(row["id"])] for row in exported) == hours


def test_filters_and_times_use_the_time_zone_of_the_user(page, tenant, operator):
    Workspace.objects.update(timezone="Pacific/Auckland")
    User.objects.filter(pk=operator.pk).update(timezone="Asia/Kathmandu")
    at = dt.datetime(2020, 3, 7, 23, 30, tzinfo=dt.UTC)
    run = OperationRunFactory(tenant=tenant, created_at=at)

    for address in (LIST, "/runs/"):
        hour = "since=2020-03-08&since_hour=5&until=2020-03-08&until_hour=6"
        response = page.get(f"{address}?{hour}")

        assert run_ids(response.content) == [run.pk]
        assert ">8 Mar 2020, 05:15</time>" in response.content.decode()
        assert "Times in Asia/Kathmandu" in response.content.decode()
    (row,) = read_csv(page.get("/runs/export.csv"))
    assert row["created_at"] == "2020-03-07T23:30:00+00:00"


def test_a_run_of_a_schedule_shows_its_slot(page, tenant):
    Workspace.objects.update(timezone="Europe/Berlin")
    at = dt.datetime(2020, 3, 8, 1, 4, tzinfo=dt.UTC)
    run = OperationRunFactory(
        tenant=tenant, created_at=at, context={"scheduled_for": "2020-03-08T01:00Z"}
    )
    OperationRunFactory(tenant=tenant, created_at=at)

    listed = page.get(LIST).content.decode()
    detail = page.get(f"/runs/{run.pk}/").content.decode()

    assert listed.count("slot 8 Mar 2020, 02:00<") == 1
    assert ">8 Mar 2020, 02:00 CET</time>" in detail
    assert ">8 Mar 2020, 02:04 CET</time>" in detail


INVALID_QUERIES = [
    "since=2026-03-08&since_hour=24",
    "since=2026-03-08&since_hour=-1",
    "since=2026-03-08&since_hour=%D9%A3",
    "until=2026-03-08&until_hour=03",
    "since_hour=3",
    "until_hour=0",
    "cause=exploded",
    "cause=missed:" + "x" * 100,
    "cause=missed:%1b",
    "status=exploded",
    "status=QUEUED",
    "type=%00",
    "q=%00",
    "q=" + "x" * 5000,
    "view=all",
    "since=2026-02-30",
    "since=0000-00-00",
    "since=10000-01-01",
    "until=0001-01-01",
    "since=%00",
    "tenant=%EF%BC%91%EF%BC%92",
    "tenant=-1",
    "tenant=9999999999999999999999999",
    "tenant=1%27%20OR%201=1",
    "older=%00",
    "older=garbage",
    "older=" + "A" * 100_000,
    "newer=MS4x%0a",
    "older=LTEuLTE",
    "older=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ",
]


@pytest.mark.parametrize("query", INVALID_QUERIES, ids=lambda query: query[:40])
@pytest.mark.parametrize("address", [LIST, "/runs/"])
def test_an_invalid_filter_is_refused_with_a_link_to_the_list(page, tenant, address, query):
    OperationRunFactory(tenant=tenant)

    response = page.get(f"{address}?{query}")

    assert response.status_code == 400
    assert b"The filter is not valid" in response.content
    assert f'href="{address}"'.encode() in response.content


def test_invalid_utf8_in_a_filter_is_accepted_as_text(page, tenant):
    assert page.get(f"{LIST}?q=%ff").status_code == 200


@pytest.mark.parametrize("runs", [7, 10, 23])
def test_pages_with_equal_times_miss_and_repeat_no_run(page, tenant, runs):
    moment = timezone.now()
    OperationRunFactory.create_batch(runs, tenant=tenant, succeeded=True, created_at=moment)
    all_ids = list(OperationRun.objects.newest_first().values_list("pk", flat=True))

    forward, cursor = [], ""
    while True:
        step = page_of(OperationRun.objects.all(), older=cursor, size=5)
        forward.append([run.pk for run in step.rows])
        if not step.older:
            break
        cursor = step.older
    backward = [forward[-1]]
    while step.newer:
        step = page_of(OperationRun.objects.all(), newer=step.newer, size=5)
        backward.insert(0, [run.pk for run in step.rows])

    assert list(chain.from_iterable(forward)) == all_ids
    assert list(chain.from_iterable(backward)) == all_ids


def test_newer_and_older_links_are_inverse(page, tenant, monkeypatch):
    runs = OperationRunFactory.create_batch(40, tenant=tenant, succeeded=True)
    first = page.get(LIST)

    older = page.get(LIST, {"older": first.context["page"].older})
    again = page.get(LIST, {"newer": older.context["page"].newer})

    assert len(run_ids(first.content)) == 30
    assert run_ids(older.content) == [run.pk for run in runs[9::-1]]
    assert run_ids(again.content) == run_ids(first.content)


@pytest.mark.parametrize("cursor", ["", "a", "é", "====", "MS4x=", "MS4xLjE", "LjE"])
def test_an_invalid_cursor_is_refused(cursor):
    with pytest.raises(BadCursor):
        Place.parse(cursor)


def test_a_cursor_round_trips_through_a_url():
    place = Place(dt.datetime(2026, 3, 8, 7, 0, 0, 123457, tzinfo=dt.UTC), 2**63 - 1)

    assert Place.parse(place.cursor()) == place


def test_a_later_page_uses_the_index(page, tenant, operator):
    place = Place.of(OperationRunFactory(tenant=tenant))
    runs = OperationRun.objects.visible_to(operator).filter(workspace=tenant.workspace)

    with connection.cursor() as cursor:
        # The table is empty; this shows that the index can response without a sort.
        for method in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{method} = off")
    plan = older_than(runs, place).newest_first()[:51].explain()

    assert "ROW(created_at, id) < ROW(" in plan
    assert "Index Cond" in plan
    assert "Sort" not in plan


def test_the_link_to_the_next_page_keeps_the_filter(page, tenant):
    OperationRunFactory.create_batch(31, tenant=tenant, failed=True)

    response = page.get(f"{LIST}?outcome=failed")

    assert b"outcome=failed&amp;older=" in response.content


def test_unchanged_rows_are_answered_with_204(page, tenant, same_minute):
    run = OperationRunFactory(tenant=tenant, running=True)
    rows = page.get(LIST).context["rows"]

    unchanged = page.get(rows.url, headers=HTMX)
    OperationRun.objects.filter(pk=run.pk).update(summary_counts={"total": 40, "processed": 13})
    changed = page.get(rows.url, headers=HTMX)

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert b"<progress max=40 value=13 " in changed.content
    assert b"<html" not in changed.content


def test_a_page_without_active_runs_polls_rarely_and_an_older_one_never(page, tenant):
    OperationRunFactory.create_batch(31, tenant=tenant, succeeded=True)
    first = page.get(LIST)
    older = page.get(LIST, {"older": first.context["page"].older})

    assert b'hx-trigger="every 10s"' in first.content
    assert b'hx-trigger="every' not in older.content


@pytest.mark.parametrize("text", ["Fabrikam", "fabrikam", " FABRI ", "brika"])
def test_a_tenant_is_found_by_its_name_or_a_part_of_it(page, tenant, text):
    TenantFactory(workspace=tenant.workspace, name="Tailspin")

    response = page.get(LIST, {"tenant": text, "outcome": "failed"})

    assert response.status_code == 302
    assert response["Location"] == f"{LIST}?tenant={tenant.pk}&outcome=failed"
    listed = page.get(response["Location"])
    assert listed.status_code == 200
    assert 'name="tenant" value="Fabrikam"' in listed.content.decode()


def test_the_whole_name_of_a_tenant_is_no_part_of_another(page, tenant):
    TenantFactory(workspace=tenant.workspace, name="Fabrikam Europe")

    response = page.get(LIST, {"tenant": "fabrikam"})

    assert response["Location"] == f"{LIST}?tenant={tenant.pk}"


def test_a_part_of_several_names_is_refused_with_the_names(page, tenant):
    TenantFactory(workspace=tenant.workspace, name="Fabrikam Europe")

    response = page.get(LIST, {"tenant": "brikam"})

    assert response.status_code == 400
    assert "“brikam” can be Fabrikam, Fabrikam Europe." in response.content.decode()
    assert 'name="tenant" value="brikam"' in response.content.decode()


@pytest.mark.parametrize("text", ["Elsewhere Ltd", "0", "%", "_", "999999999999999999999"])
def test_no_tenant_of_others_is_found(page, tenant, text):
    foreign = TenantFactory(name="Elsewhere Ltd")

    for value in (text, str(foreign.pk)):
        response = page.get(LIST, {"tenant": value})
        assert response.status_code == 400
        assert f"Tenant: “{value}” was not found." in response.content.decode()


def test_a_cause_is_found_by_its_name(page, tenant):
    code = "permission_missing"
    label = get_reason(code).label

    response = page.get(LIST, {"cause": label.upper()})

    assert response["Location"] == f"{LIST}?cause={code}"
    assert f'name="cause" value="{label}"' in page.get(response["Location"]).content.decode()


def test_an_export_finds_a_tenant_by_its_name(page, tenant):
    run = OperationRunFactory(tenant=tenant)
    OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace, name="Tailspin"))

    rows = read_csv(page.get("/w/contoso/runs/export.csv", {"tenant": "Fabrikam"}))

    assert [row["id"] for row in rows] == [str(run.pk)]


def test_an_empty_list_explains_what_to_do(page, tenant):
    assert b"No runs yet" in page.get(LIST).content
    assert b"No run matches the filter" in page.get(f"{LIST}?q=x").content


def test_the_number_of_queries_does_not_depend_on_the_length_of_the_list(
    page, tenant, django_assert_max_num_queries
):
    for _ in range(20):
        OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace), running=True)

    with django_assert_max_num_queries(15):
        page.get(LIST)
    with django_assert_max_num_queries(15):
        page.get("/runs/")


def test_a_list_that_takes_too_long_asks_to_narrow_the_filter(page, tenant, monkeypatch):
    def time_out(*_: object, **__: object) -> None:
        raise TookTooLong

    monkeypatch.setattr(listing, "page_of", time_out)

    response = page.get(LIST)

    assert response.status_code == 503
    assert b"Narrow the filter" in response.content


def test_a_statement_is_stopped_at_its_timeout(db):
    with pytest.raises(TookTooLong), statement_timeout(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")


def test_a_large_count_is_capped(page, tenant, monkeypatch):
    OperationRunFactory.create_batch(4, tenant=tenant)
    assert capped_count(OperationRun.objects.all(), cap=3) == "3+"
    assert capped_count(OperationRun.objects.all(), cap=4) == "4"


def read_csv(response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


def test_the_export_contains_the_filtered_runs(page, tenant):
    OperationRunFactory(tenant=tenant, failed=True)
    succeeded = OperationRunFactory(tenant=tenant, succeeded=True)

    rows = read_csv(page.get("/w/contoso/runs/export.csv?outcome=succeeded"))

    assert [row["id"] for row in rows] == [str(succeeded.pk)]
    assert rows[0]["tenant"] == "Fabrikam"
    assert rows[0]["succeeded"] == "40"
    assert rows[0]["cause"] == ""


def test_the_export_contains_the_cause_and_the_recovery(page, tenant):
    problem = create_ended_run(tenant, total=1, processed=1, failed=1)
    success = create_ended_run(tenant, total=1, processed=1, succeeded=1)

    (row,) = read_csv(page.get("/w/contoso/runs/export.csv?outcome=failed"))

    assert row["id"] == str(problem.pk)
    assert row["cause"] == "No cause recorded"
    assert row["recovered_by"] == str(success.pk)


@pytest.fixture
def pages_of_two(monkeypatch):
    monkeypatch.setattr(csv_export, "ROWS_READ", 2)


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize("address", ["/runs/export.csv", "/w/contoso/runs/export.csv"])
@pytest.mark.parametrize("runs", [3, 4, 5])
def test_the_export_reads_page_by_page_until_its_end(page, tenant, operator, runs, address):
    MembershipFactory(user=operator, workspace=WorkspaceFactory(), role=Role.READER)
    numbers = [run.pk for run in OperationRunFactory.create_batch(runs, tenant=tenant)]

    rows = read_csv(page.get(address))

    assert [int(row["id"]) for row in rows] == numbers[::-1]


def test_an_export_that_is_interrupted_says_so_on_its_last_line(page, tenant, monkeypatch):
    monkeypatch.setattr(csv_export, "ROWS_READ", 2)
    OperationRunFactory.create_batch(5, tenant=tenant)
    response = page.get("/runs/export.csv")
    lines = iter(response.streaming_content)
    read = [next(lines) for _ in range(3)]
    monkeypatch.setattr(csv_export, "EXPORT_SECONDS", 0.05)
    slow = RawSQL("SELECT pg_sleep(1) IS NOT NULL", [], output_field=BooleanField())
    monkeypatch.setattr(csv_export, "older_than", lambda *at: older_than(*at).filter(slow))

    read += lines

    assert len(read) == 4
    assert read[-1] == b"NOT COMPLETE: the export was interrupted. Try it again.\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", " ="])
def test_the_export_contains_no_formulas(page, tenant, start):
    Tenant.objects.filter(pk=tenant.pk).update(name=f"{start}cmd|' /C calc'!A0")
    OperationRunFactory(tenant=tenant)

    (row,) = read_csv(page.get("/runs/export.csv"))

    assert row["tenant"] == f"'{start}cmd|' /C calc'!A0"


def test_an_invalid_filter_exports_no_file(page, tenant):
    assert page.get("/w/contoso/runs/export.csv?since=2026-02-30").status_code == 400
