"""The log on the page of a run: filters, search, pages by sequence, and the lines that follow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from operations.events import Event, append_events
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.testing import allow_pruning
from operations.views import run_log
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunEventFactory, OperationRunFactory
from tests.support.factories.operations import create_running_run
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def ended(tenant: Tenant) -> OperationRun:
    """A run with 30 lines: every tenth is a warning, and the last one an error."""
    run: OperationRun = OperationRunFactory(tenant=tenant, failed=True)
    for number in range(1, 31):
        level = "error" if number == 30 else "warning" if number % 10 == 0 else "info"
        message = f"Policy {number}: read."
        OperationRunEventFactory(run=run, sequence=number, level=level, message=message)
    return run


def shown(page: Client, run: OperationRun, **query: Any) -> list[int]:
    """Return the numbers of the lines on the page."""
    return numbers(page.get(run.get_absolute_url(), query).content.decode())


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="line-number">(\d+)<', html)]


def count_text(html: str) -> str:
    text = re.search(r'id="log-count"[^>]*>(.*?)</span>', html, re.DOTALL)
    assert text
    return " ".join(text[1].split())


def html_of(page: Client, run: OperationRun, **query: Any) -> str:
    content: str = page.get(run.get_absolute_url(), query).content.decode()
    return content


@pytest.mark.parametrize(
    ("query", "lines", "text"),
    [
        ({}, list(range(1, 31)), "30 of 30 lines, complete"),
        ({"level": "warning"}, [10, 20, 30], "3 of 30 lines"),
        ({"level": "error"}, [30], "1 of 30 lines"),
        ({"q": "policy 2"}, [2, *range(20, 30)], "11 of 30 lines"),
        ({"q": "policy 2", "level": "warning"}, [20], "1 of 30 lines"),
        ({"q": "%"}, [], "0 of 30 lines"),
        ({"q": "_"}, [], "0 of 30 lines"),
        ({"before": "x", "after": "-1"}, list(range(1, 31)), "30 of 30 lines, complete"),
        ({"before": "\N{FULLWIDTH DIGIT ONE}"}, list(range(1, 31)), "30 of 30 lines, complete"),
        ({"after": "9" * 400}, list(range(1, 31)), "30 of 30 lines, complete"),
    ],
)
def test_the_log_shows_and_counts_the_lines_that_match(
    page: Client, ended: OperationRun, query: dict[str, str], lines: list[int], text: str
) -> None:
    html = html_of(page, ended, **query)

    assert numbers(html) == lines
    assert count_text(html) == text


@pytest.mark.parametrize("query", [{"q": "\x00"}, {"q": "x" * 101}, {"level": "exploded"}])
def test_a_filter_that_the_page_cannot_send_is_refused(
    page: Client, ended: OperationRun, query: dict[str, str]
) -> None:
    assert page.get(ended.get_absolute_url(), query).status_code == 400


def test_pages_follow_the_sequence_in_both_directions(
    page: Client, ended: OperationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "LINES_ON_PAGE", 10)

    newest = html_of(page, ended)
    assert numbers(newest) == list(range(21, 31))
    assert "before=21#log" in newest
    assert "Newest lines" not in newest
    middle = html_of(page, ended, before=21)
    assert numbers(middle) == list(range(11, 21))
    assert "before=11#log" in middle
    assert "after=20#log" in middle
    assert "Newest lines" in middle
    assert shown(page, ended, before=11) == list(range(1, 11))
    assert shown(page, ended, after=20) == list(range(21, 31))
    assert "Show later lines" in middle
    assert "Show later lines" not in html_of(page, ended, after=20)
    assert shown(page, ended, level="warning", before=20) == [10]


def test_a_search_keeps_the_other_filters(page: Client, ended: OperationRun) -> None:
    html = html_of(page, ended, level="warning", items="failed", before=25)

    form = re.search(r'<form method="get" action="#log".*?</form>', html, re.DOTALL)
    assert form
    assert re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form[0]) == [
        ("items", "failed"),
        ("level", "warning"),
    ]


def test_a_missing_line_is_not_called_complete(page: Client, ended: OperationRun) -> None:
    with allow_pruning():
        ended.events.filter(sequence=7).delete()

    assert count_text(html_of(page, ended)) == "29 of 30 lines"


# --- the lines that follow ----------------------------------------------------------------------


def tail_of(html: str) -> str:
    address = re.search(r'class="log-tail" hx-get="([^"]+)"', html)
    return address[1].replace("&amp;", "&") if address else ""


def test_new_lines_follow_the_last_one(page: Client, tenant: Tenant) -> None:
    run = create_running_run(tenant)
    first = html_of(page, run)
    assert numbers(first) == [1, 2]
    assert count_text(first) == "2 lines so far"
    tail = tail_of(first)

    assert page.get(tail, headers=HTMX).status_code == 204
    append_events([(run.pk, Event("note", "A")), (run.pk, Event("note", "B"))])
    added = page.get(tail, headers=HTMX).content.decode()

    assert numbers(added) == [3, 4]
    assert "<html" not in added
    assert 'hx-swap-oob="true"' in added
    assert count_text(added) == "4 lines so far"
    assert page.get(tail_of(added), headers=HTMX).status_code == 204


def test_the_lines_that_follow_have_the_filter_of_the_page(page: Client, tenant: Tenant) -> None:
    run = create_running_run(tenant)
    tail = tail_of(html_of(page, run, q="policy"))

    append_events([(run.pk, Event("note", "A group"))])
    assert page.get(tail, headers=HTMX).status_code == 204
    append_events([(run.pk, Event("note", "A policy"))])

    added = page.get(tail, headers=HTMX).content.decode()
    assert numbers(added) == [4]
    assert count_text(added) == "1 of 4 lines"


def test_many_new_lines_arrive_in_parts(
    page: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "LINES_ADDED", 3)
    run = create_running_run(tenant)
    tail = tail_of(html_of(page, run))
    append_events((run.pk, Event("note", f"{number}")) for number in range(4))
    OperationRunService().complete(run.pk)

    first = page.get(tail, headers=HTMX).content.decode()
    second = page.get(tail_of(first), headers=HTMX).content.decode()

    assert numbers(first) + numbers(second) == [3, 4, 5, 6, 7]
    assert tail_of(second) == ""


def test_the_last_lines_end_the_live_log(page: Client, tenant: Tenant) -> None:
    run = create_running_run(tenant)
    tail = tail_of(html_of(page, run))
    OperationRunService().complete(run.pk)

    added = page.get(tail, headers=HTMX).content.decode()

    assert numbers(added) == [3]
    assert tail_of(added) == ""
    assert count_text(added) == "3 of 3 lines, complete"


def test_an_earlier_page_and_an_ended_run_do_not_follow(
    page: Client, ended: OperationRun, tenant: Tenant
) -> None:
    running = create_running_run(tenant)

    assert tail_of(html_of(page, ended)) == ""
    assert tail_of(html_of(page, running, before=2)) == ""
    assert tail_of(html_of(page, running, after=1)) != ""


def test_the_lines_of_a_foreign_run_are_a_404(page: Client, tenant: Tenant) -> None:
    foreign = OperationRunFactory(running=True)

    response = page.get(f"{foreign.get_absolute_url()}?part=log-tail&after=0", headers=HTMX)

    assert response.status_code == 404
    assert response.content == page.get("/runs/999999999/", headers=HTMX).content
