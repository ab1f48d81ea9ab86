"""The list of runs: filters that are an address, keyset pages, live rows, CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
from itertools import chain

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from operations.models import OperationRun
from operations.views import listing
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    OperationRunFactory,
    TenantFactory,
    WorkspaceFactory,
)
from tests.support.sessions import open_session
from web.keyset import BadCursor, Place, capped_count, older_than, page_of
from web.statement_timeout import TookTooLong, statement_timeout

LIST = "/w/contoso/runs/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    """A client of olga, who is an operator of Contoso."""
    open_session(client, operator)
    return client


def shown(html: bytes) -> list[int]:
    """The numbers of the runs on a page, from top to bottom."""
    return [int(part.split(b'"')[0]) for part in html.split(b'id="run-')[1:] if part[:1].isdigit()]


def test_the_newest_run_comes_first_with_its_tenant_and_outcome(page, tenant):
    older = OperationRunFactory(tenant=tenant, succeeded=True)
    newer = OperationRunFactory(tenant=tenant, failed=True)

    answer = page.get(LIST)

    assert shown(answer.content) == [newer.pk, older.pk]
    assert b"Fabrikam" in answer.content
    assert b'data-outcome="failed"' in answer.content


def test_a_workspace_lists_its_own_runs_only(page, tenant, operator):
    other = WorkspaceFactory(slug="other")
    MembershipFactory(user=operator, workspace=other, role=Role.READER)
    own, elsewhere = (
        OperationRunFactory(tenant=tenant),
        OperationRunFactory(tenant__workspace=other),
    )
    foreign = OperationRunFactory()

    assert shown(page.get(LIST).content) == [own.pk]
    assert shown(page.get("/runs/").content) == [elsewhere.pk, own.pk]
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
def test_a_filter_is_an_address(page, every_kind, query, names):
    answer = page.get(f"{LIST}?{query}")

    wanted = set(every_kind) if names is None else names
    assert set(shown(answer.content)) == {every_kind[name].pk for name in wanted}


def test_a_run_is_found_by_its_number_and_by_its_tenant(page, every_kind, tenant):
    other = OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace, name="Northwind"))

    assert shown(page.get(f"{LIST}?q=%23{other.pk}").content) == [other.pk]
    assert shown(page.get(f"{LIST}?q=northw").content) == [other.pk]
    assert shown(page.get(f"{LIST}?tenant={other.tenant_id}").content) == [other.pk]


def test_a_date_is_a_day_of_the_workspace(page, tenant):
    Workspace.objects.update(timezone="Pacific/Auckland")
    late = OperationRunFactory(
        tenant=tenant, created_at=dt.datetime(2026, 3, 7, 23, 30, tzinfo=dt.UTC)
    )

    assert shown(page.get(f"{LIST}?since=2026-03-08&until=2026-03-08").content) == [late.pk]


BAD = [
    "status=exploded",
    "status=QUEUED",
    "outcome=pending",
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


@pytest.mark.parametrize("query", BAD, ids=lambda query: query[:40])
@pytest.mark.parametrize("address", [LIST, "/runs/"])
def test_a_filter_that_makes_no_sense_is_refused_with_a_way_out(page, tenant, address, query):
    OperationRunFactory(tenant=tenant)

    answer = page.get(f"{address}?{query}")

    assert answer.status_code == 400
    assert b"The filter is not valid" in answer.content
    assert f'href="{address}"'.encode() in answer.content


def test_invalid_utf8_is_text_like_any_other(page, tenant):
    assert page.get(f"{LIST}?q=%ff").status_code == 200


@pytest.mark.parametrize("runs", [7, 10, 23])
def test_pages_over_ties_miss_nothing_and_repeat_nothing(page, tenant, runs):
    moment = timezone.now()
    OperationRunFactory.create_batch(runs, tenant=tenant, succeeded=True, created_at=moment)
    everything = list(OperationRun.objects.newest_first().values_list("pk", flat=True))

    forth, cursor = [], ""
    while True:
        step = page_of(OperationRun.objects.all(), older=cursor, size=5)
        forth.append([run.pk for run in step.rows])
        if not step.older:
            break
        cursor = step.older
    back = [forth[-1]]
    while step.newer:
        step = page_of(OperationRun.objects.all(), newer=step.newer, size=5)
        back.insert(0, [run.pk for run in step.rows])

    assert list(chain.from_iterable(forth)) == everything
    assert list(chain.from_iterable(back)) == everything


def test_newer_and_older_lead_to_each_other(page, tenant, monkeypatch):
    runs = OperationRunFactory.create_batch(60, tenant=tenant, succeeded=True)
    first = page.get(LIST)

    older = page.get(LIST, {"older": first.context["page"].older})
    again = page.get(LIST, {"newer": older.context["page"].newer})

    assert len(shown(first.content)) == 50
    assert shown(older.content) == [run.pk for run in runs[9::-1]]
    assert shown(again.content) == shown(first.content)


@pytest.mark.parametrize("cursor", ["", "a", "é", "====", "MS4x=", "MS4xLjE", "LjE"])
def test_a_cursor_is_read_strictly(cursor):
    with pytest.raises(BadCursor):
        Place.parse(cursor)


def test_a_cursor_survives_its_way_through_an_address():
    place = Place(dt.datetime(2026, 3, 8, 7, 0, 0, 123457, tzinfo=dt.UTC), 2**63 - 1)

    assert Place.parse(place.cursor()) == place


def test_a_later_page_is_found_by_the_index_and_not_by_walking(page, tenant, operator):
    place = Place.of(OperationRunFactory(tenant=tenant))
    runs = OperationRun.objects.visible_to(operator).filter(workspace=tenant.workspace)

    with connection.cursor() as cursor:
        # The table is empty here: what is shown is that the index can answer without a sort.
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    plan = older_than(runs, place).newest_first()[:51].explain()

    assert "ROW(created_at, id) < ROW(" in plan
    assert "Index Cond" in plan
    assert "Sort" not in plan


def test_the_filter_stays_on_the_next_page(page, tenant):
    OperationRunFactory.create_batch(51, tenant=tenant, failed=True)

    answer = page.get(f"{LIST}?outcome=failed")

    assert b"outcome=failed&amp;older=" in answer.content


def test_nothing_new_is_answered_with_204(page, tenant):
    run = OperationRunFactory(tenant=tenant, running=True)
    rows = page.get(LIST).context["rows"]

    unchanged = page.get(rows.url, headers=HTMX)
    OperationRun.objects.filter(pk=run.pk).update(summary_counts={"total": 40, "processed": 13})
    changed = page.get(rows.url, headers=HTMX)

    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert b"13" in changed.content
    assert b"<html" not in changed.content


def test_a_page_without_active_runs_asks_rarely_and_an_older_one_never(page, tenant):
    OperationRunFactory.create_batch(51, tenant=tenant, succeeded=True)
    first = page.get(LIST)
    older = page.get(LIST, {"older": first.context["page"].older})

    assert b'hx-trigger="every 10s"' in first.content
    assert b"hx-trigger" not in older.content


def test_an_empty_list_says_what_to_do(page, tenant):
    assert b"No runs yet" in page.get(LIST).content
    assert b"No run matches the filter" in page.get(f"{LIST}?q=x").content


def test_the_list_costs_the_same_number_of_queries_whatever_its_length(
    page, tenant, django_assert_max_num_queries
):
    for _ in range(20):
        OperationRunFactory(tenant=TenantFactory(workspace=tenant.workspace), running=True)

    with django_assert_max_num_queries(12):
        page.get(LIST)
    with django_assert_max_num_queries(12):
        page.get("/runs/")


def test_a_list_that_takes_too_long_says_narrow_the_filter(page, tenant, monkeypatch):
    def stopped(*_: object, **__: object) -> None:
        raise TookTooLong

    monkeypatch.setattr(listing, "page_of", stopped)

    answer = page.get(LIST)

    assert answer.status_code == 503
    assert b"Narrow the filter" in answer.content


def test_a_statement_is_stopped_when_its_time_is_up(db):
    with pytest.raises(TookTooLong), statement_timeout(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")


def test_a_count_of_many_is_capped(page, tenant, monkeypatch):
    OperationRunFactory.create_batch(4, tenant=tenant)
    assert capped_count(OperationRun.objects.all(), cap=3) == "3+"
    assert capped_count(OperationRun.objects.all(), cap=4) == "4"


def read_csv(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_export_holds_what_the_filter_shows(page, tenant):
    OperationRunFactory(tenant=tenant, failed=True)
    wanted = OperationRunFactory(tenant=tenant, succeeded=True)

    rows = read_csv(page.get("/w/contoso/runs/export.csv?outcome=succeeded"))

    assert [row["id"] for row in rows] == [str(wanted.pk)]
    assert rows[0]["tenant"] == "Fabrikam"
    assert rows[0]["succeeded"] == "40"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", " ="])
def test_no_cell_of_the_export_is_a_formula(page, tenant, start):
    Tenant.objects.filter(pk=tenant.pk).update(name=f"{start}cmd|' /C calc'!A0")
    OperationRunFactory(tenant=tenant)

    (row,) = read_csv(page.get("/runs/export.csv"))

    assert row["tenant"] == f"'{start}cmd|' /C calc'!A0"


def test_a_bad_filter_is_no_file(page, tenant):
    assert page.get("/w/contoso/runs/export.csv?since=2026-02-30").status_code == 400
