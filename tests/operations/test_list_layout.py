"""The columns, the density and the order of the list of runs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from operations.models import ListSettings, OperationRun
from operations.presentation.layout import COLUMNS, SORTS
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import MembershipFactory, OperationRunFactory, WorkspaceFactory
from tests.support.sessions import open_session
from web import csv_export, keyset
from web.keyset import BadCursor, Place, in_order, older_than, page_of

LIST = "/w/contoso/runs/"
NOW = timezone.now().replace(microsecond=123456)


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def headings(html: str) -> list[str]:
    """Return the headings of the table, in order."""
    head = html.partition("<thead>")[2].partition("</thead>")[0]
    return [label for label in ("Run", *COLUMNS.values()) if f">{label}<" in head]


def run_ids(html: str) -> list[int]:
    return [int(part.split('"')[0]) for part in html.split('id="run-')[1:] if part[:1].isdigit()]


def create_run(tenant: Tenant, *, asked: int, started: int, ended: int) -> OperationRun:
    """Create a succeeded run; the times are in minutes before now."""
    at = {
        name: NOW - dt.timedelta(minutes=minutes)
        for name, minutes in (
            ("created_at", asked),
            ("started_at", started),
            ("completed_at", ended),
        )
    }
    run: OperationRun = OperationRunFactory(tenant=tenant, succeeded=True, **at)
    return run


# --- columns and density ----------------------------------------------------------------------


def test_a_user_chooses_columns_and_density_for_all_lists(page: Client, tenant: Tenant) -> None:
    OperationRunFactory(tenant=tenant, succeeded=True)
    before = page.get(LIST).content.decode()
    assert headings(before) == [
        *("Run", "State", "Cause", "Progress", "Started by", "Requested", "Duration")
    ]

    response = page.post(
        "/runs/settings/",
        {
            "column": ["worker", "state", "ended", "assignee"],
            "density": "compact",
            "next": f"{LIST}?outcome=succeeded&columns=state&density=comfortable&part=run-rows",
        },
    )

    assert response["Location"] == f"{LIST}?outcome=succeeded"
    for address in (response["Location"], "/runs/"):
        html = page.get(address).content.decode()
        assert headings(html) == ["Run", "State", "Assigned to", "Ended", "Worker"]
        assert 'class="is-compact"' in html
    page.post("/runs/settings/", {"reset": "1", "next": LIST})
    assert headings(page.get(LIST).content.decode()) == headings(before)


def test_every_column_is_displayed(page: Client, tenant: Tenant, operator: User) -> None:
    OperationRunFactory(
        tenant=tenant, failed=True, acknowledged_at=NOW, assigned_to=operator, worker="worker-9"
    )

    html = page.get(f"{LIST}?columns={','.join(COLUMNS)}").content.decode()

    assert headings(html) == ["Run", *COLUMNS.values()]
    row = html.partition("<tr data-row ")[2].partition("</tbody>")[0]
    assert row.count("<td") == len(COLUMNS) + 2  # the checkbox and the run
    assert "<td class=assignee>olga<td" in row
    assert "worker-9" in row


def test_a_column_that_was_removed_is_left_out(
    page: Client, tenant: Tenant, operator: User
) -> None:
    OperationRunFactory(tenant=tenant)
    ListSettings.objects.create(user=operator, columns="state,removed", density="compact")

    assert headings(page.get(LIST).content.decode()) == ["Run", "State"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("columns=state,nonsense", "Columns: “nonsense” is not a column."),
        ("columns=%00", "is not a column."),
        ("columns=" + "x" * 5000, "is not a column."),
        ("columns=context__secret", "is not a column."),
        ("density=dense", "Density: select comfortable or compact."),
        ("sort=id", "Order: the list cannot be sorted by that."),
        ("sort=-cause", "Order: the list cannot be sorted by that."),
    ],
)
def test_an_unknown_layout_is_refused(
    page: Client, tenant: Tenant, query: str, message: str
) -> None:
    for address in (LIST, f"{LIST}export.csv"):
        response = page.get(f"{address}?{query}")
        assert response.status_code == 400
        assert message in response.content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {"column": ["nonsense"], "density": "compact"},
        {"column": ["state"], "density": "dense"},
        {"column": ["state"], "density": ""},
    ],
)
def test_an_unknown_choice_is_not_stored(page: Client, workspace: Workspace, form: Any) -> None:
    assert page.post("/runs/settings/", form).status_code == 400
    assert not ListSettings.objects.exists()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "runs", "/\r\nx"])
def test_another_site_is_no_place_to_return_to(
    page: Client, workspace: Workspace, target: str
) -> None:
    response = page.post("/runs/settings/", {"density": "compact", "next": target})

    assert response["Location"] == "/runs/"


def test_filters_chips_and_pages_keep_the_layout(page: Client, tenant: Tenant) -> None:
    OperationRunFactory.create_batch(31, tenant=tenant, succeeded=True)

    html = page.get(f"{LIST}?columns=state&sort=requested&type=backup_schedule.run_now").content
    text = html.decode()

    assert '<input type="hidden" name="columns" value="state" />' in text
    assert '<input type="hidden" name="sort" value="requested" />' in text
    assert "columns=state&amp;sort=requested&amp;view=active" in text
    assert "Next" in text.split('rel="next"')[1][:200]
    assert "export.csv?type=backup_schedule.run_now&amp;columns=state&amp;sort=requested" in text


# --- order ------------------------------------------------------------------------------------


def test_the_list_is_sorted_by_end_and_duration(page: Client, tenant: Tenant) -> None:
    first = create_run(tenant, asked=90, started=80, ended=10)
    second = create_run(tenant, asked=70, started=60, ended=30)
    third = create_run(tenant, asked=50, started=49, ended=40)
    active = OperationRunFactory(tenant=tenant, running=True, created_at=NOW)
    ids = [first.pk, second.pk, third.pk]

    orders = {sort: run_ids(page.get(f"{LIST}?sort={sort}").content.decode()) for sort in SORTS}

    assert orders == {
        "-requested": [active.pk, *ids[::-1]],
        "requested": [*ids, active.pk],
        "-ended": ids,
        "ended": ids[::-1],
        "-duration": ids,
        "duration": ids[::-1],
    }
    html = page.get(f"{LIST}?sort=-duration").content.decode()
    assert 'aria-sort="descending"><a href="?sort=duration">Duration</a>' in html
    assert "Only runs that have started and ended are listed." in html
    assert "3 runs" in html


def test_the_export_has_the_order_of_the_list(
    page: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "ROWS_READ", 2)
    runs = [create_run(tenant, asked=9, started=9, ended=9 - minutes) for minutes in (3, 1, 5, 2)]

    response = page.get(f"{LIST}export.csv?sort=-duration")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]

    ids = [int(line.split(",")[0]) for line in lines[1:]]
    assert ids == [runs[index].pk for index in (2, 0, 3, 1)]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_every_order_join_without_gap_or_repetition(tenant: Tenant, sort: str) -> None:
    for number in range(9):
        create_run(tenant, asked=number // 2 + 5, started=4, ended=number // 3)
    order, rows = SORTS[sort].order, OperationRun.objects.all()
    expected = list(in_order(rows, order))

    forwards, page_of_runs = [], page_of(rows, size=2, order=order)
    while True:
        forwards += page_of_runs.rows
        if not page_of_runs.older:
            break
        last = page_of_runs
        page_of_runs = page_of(rows, older=page_of_runs.older, size=2, order=order)
    back = page_of(rows, newer=page_of_runs.newer, size=2, order=order)

    assert forwards == expected
    assert back.rows == last.rows


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_belongs_to_one_order(page: Client, tenant: Tenant, sort: str) -> None:
    run = create_run(tenant, asked=3, started=2, ended=1)
    cursor = Place.of(run, SORTS[sort].order).cursor()

    assert Place.parse(cursor, SORTS[sort].order).id == run.pk
    for other in SORTS.keys() - {sort}:
        with pytest.raises(BadCursor):
            Place.parse(cursor, SORTS[other].order)
        assert page.get(f"{LIST}?sort={other}&older={cursor}").status_code == 400


def test_only_the_runs_of_one_workspace_are_sorted(
    page: Client, tenant: Tenant, operator: User
) -> None:
    assert page.get("/runs/?sort=-duration").status_code == 200
    MembershipFactory(user=operator, workspace=WorkspaceFactory(), role=Role.READER)

    response = page.get("/runs/?sort=-duration")

    assert response.status_code == 400
    assert "Order: sort the runs of one workspace." in response.content.decode()


def nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.fixture
def ledger(tenant: Tenant) -> Tenant:
    """Thousands of ended runs, and current planner statistics."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status,"
            " outcome, run_identity_hash, created_at, started_at, completed_at)"
            " SELECT %s, %s, 'Schedule', 'backup_schedule.run_now', 'completed', 'succeeded',"
            " encode(sha256(n::text::bytea), 'hex'),"
            " now() - n * interval '1 min', now() - n * interval '59 s', now() - n * interval '1 s'"
            " FROM generate_series(1, 6000) n",
            [tenant.workspace_id, tenant.pk],
        )
        cursor.execute("ANALYZE operation_runs")
    return tenant


@pytest.mark.parametrize("sort", SORTS)
def test_an_index_provides_every_order_of_a_type(ledger: Tenant, sort: str) -> None:
    order = SORTS[sort].order
    runs = OperationRun.objects.filter(
        SORTS[sort].only, workspace=ledger.workspace_id, type="backup_schedule.run_now"
    )
    place = Place.of(in_order(runs, order)[3000], order)

    for rows in (runs, older_than(runs, place)):
        query = in_order(rows, order)[: keyset.PAGE_SIZE + 1]
        plan = json.loads(query.explain(format="json", analyze=True))[0]["Plan"]
        assert "Sort" not in set(nodes(plan))
        assert "Incremental Sort" not in set(nodes(plan))
        assert plan["Plans"][0]["Actual Rows"] <= keyset.PAGE_SIZE + 1
