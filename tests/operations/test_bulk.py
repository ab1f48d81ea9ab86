"""Bulk actions apply the same service and rules to each run as its own button does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.test import Client
from django.urls import reverse

from operations.bulk import ACKNOWLEDGE, Order
from operations.catalog import Retry
from operations.filters import RunFilter
from operations.models import OperationRun
from operations.states import RunStatus
from operations.types import OperationRunType
from operations.views import bulk
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

LIST = "/w/contoso/runs/"


def signed_in(user: Any) -> Client:
    client = Client()
    open_session(client, user)
    return client


def address_of(action: str) -> str:
    return reverse(f"run_{action}_many", args=["contoso"])


def preview(user: Any, action: str, **query: Any) -> str:
    """Return the page that says what a bulk action would do."""
    response = signed_in(user).get(address_of(action), query)
    assert response.status_code == 200, response.content
    return response.content.decode()


def post(user: Any, action: str, **form: Any) -> str:
    """Post a bulk action; return the page with the results."""
    response = signed_in(user).post(address_of(action), form)
    assert response.status_code == 200, response.content
    return response.content.decode()


def counts(html: str) -> dict[str, int]:
    """Return the numbers that a preview or a result begins with."""
    pairs = re.findall(r"<li data-outcome=.*?><strong>(\d+)</strong> (.*?)</li>", html)
    return {text: int(number) for number, text in pairs}


def ready_ids(html: str) -> list[int]:
    """Return the ids that the form of a preview posts."""
    return sorted(map(int, re.findall(r'type="hidden" name="run" value="(\d+)"', html)))


def create_failed_run(tenant: Any, schedule: int) -> OperationRun:
    return create_ended_run(tenant, schedule, total=1, processed=1, failed=1)


# --- cancel -----------------------------------------------------------------------------------


def test_bulk_cancel_treats_each_selected_run_like_its_own_button(tenant, manager):
    queued, running = create_queued_run(tenant, 1), create_running_run(tenant, 2)
    ended = create_failed_run(tenant, 3)
    runs = [queued.pk, running.pk, ended.pk]

    before = preview(manager, "cancel", run=runs)
    after = post(manager, "cancel", run=runs)

    assert counts(before) == {"can be cancelled": 2, "already ended": 1}
    assert ready_ids(before) == [queued.pk, running.pk]
    assert counts(after) == {"cancelled": 1, "stopping": 1, "already ended": 1}
    assert counts(preview(manager, "cancel", run=[running.pk])) == {"already stopping": 1}
    queued.refresh_from_db()
    running.refresh_from_db()
    assert queued.outcome == "cancelled"
    assert running.cancel_requested_by == manager
    assert queued.events.filter(kind="cancelled", actor=manager.username).exists()


def test_an_operator_cancels_own_runs_and_the_others_are_not_permitted(tenant, operator):
    own = create_queued_run(tenant, 1, by=operator)
    other = create_queued_run(tenant, 2)

    before = preview(operator, "cancel", run=[own.pk, other.pk])
    after = post(operator, "cancel", run=[own.pk, other.pk])

    assert counts(before) == {"can be cancelled": 1, "not allowed by your role": 1}
    assert counts(after) == {"cancelled": 1, "not allowed by your role": 1}
    other.refresh_from_db()
    assert other.is_queued


# --- retry ------------------------------------------------------------------------------------


def test_the_preview_says_what_a_retry_would_do_and_changes_nothing(
    tenant, operator, service, change_catalog
):
    ready, duplicate = create_failed_run(tenant, 1), create_failed_run(tenant, 1)
    recovered = create_failed_run(tenant, 2)
    fine = create_ended_run(tenant, 2, total=1, processed=1, succeeded=1)
    busy = create_failed_run(tenant, 3)
    retry = service.retry(busy, by=operator).run
    active = create_queued_run(tenant, 4)
    runs = [ready, duplicate, recovered, fine, busy, active]

    html = preview(operator, "retry", run=[run.pk for run in runs])

    assert counts(html) == {
        "can be retried": 1,
        "same operation as another of these runs": 1,
        "already recovered": 1,
        "already succeeded": 1,
        "already being retried": 1,
        "still active": 1,
    }
    assert ready_ids(html) == [duplicate.pk]
    rows = re.findall(r'data-row-link href="/runs/(\d+)/"', html)
    assert rows[0] == str(duplicate.pk), "ready runs come first"
    assert len(rows) == len(runs)
    assert f'Already being retried <a href="/runs/{retry.pk}/">#{retry.pk}</a>' in html
    assert "Retry 1 run</button>" in html
    assert set(OperationRun.objects.active()) == {retry, active}
    change_catalog(OperationRunType(ready.type), retry=Retry.NEVER)
    html = preview(operator, "retry", run=[ready.pk])
    assert counts(html) == {"of an operation that is never retried": 1}
    assert "btn-primary" not in html


def test_each_run_has_its_result_after_a_retry(tenant, operator):
    first, second = create_failed_run(tenant, 1), create_failed_run(tenant, 2)
    fine = create_ended_run(tenant, 3, total=1, processed=1, succeeded=1)
    duplicate = create_failed_run(tenant, 1)

    html = post(operator, "retry", run=[first.pk, second.pk, fine.pk, duplicate.pk])

    assert counts(html) == {"retried": 2, "already being retried": 1, "already succeeded": 1}
    retry = OperationRun.objects.active().get(retry_of=second)
    assert f'Retried <a href="/runs/{retry.pk}/">#{retry.pk}</a>' in html
    assert OperationRun.objects.active().count() == 2


def test_the_same_form_posted_twice_retries_once(tenant, operator):
    run = create_failed_run(tenant, 1)
    form = {"run": [run.pk], "submission": "5b0f5c1e-7a2f-4d0b-9c51-4f1c6f6f1d11"}

    post(operator, "retry", **form)
    again = post(operator, "retry", **form)

    assert counts(again) == {"already being retried": 1}
    assert run.retries.count() == 1


# --- acknowledge ------------------------------------------------------------------------------


def test_runs_are_acknowledged_with_a_note_and_an_assignee(tenant, operator, manager):
    runs = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(3)]
    fine = OperationRunFactory(tenant=tenant, succeeded=True)

    before = preview(operator, "acknowledge", run=[run.pk for run in [*runs, fine]])
    after = post(
        operator, "acknowledge", run=ready_ids(before), note="Ticket 4711", assignee=manager.pk
    )

    assert counts(before) == {"can be acknowledged": 3, "without a problem": 1}
    assert counts(after) == {"acknowledged": 3}
    assert not OperationRun.objects.needs_attention().exists()
    for run in runs:
        run.refresh_from_db()
        assert (run.acknowledgment_note, run.assigned_to) == ("Ticket 4711", manager)
    again = preview(operator, "acknowledge", run=[runs[0].pk])
    assert counts(again) == {"already acknowledged": 1}


def test_a_run_that_retention_removes_at_the_same_moment_is_not_acknowledged(tenant, operator):
    run = OperationRunFactory(tenant=tenant, failed=True)
    removed = OperationRun(pk=run.pk + 1)

    results = ACKNOWLEDGE.perform([removed, run], Order(by=operator))

    assert [result.text for result in results] == ["removed by retention", "acknowledged"]


@pytest.mark.parametrize("form", [{"assignee": "foreign"}, {"assignee": "x"}, {"note": "x" * 501}])
def test_an_invalid_note_or_assignee_changes_nothing(tenant, operator, stranger, form):
    run = OperationRunFactory(tenant=tenant, failed=True)
    if form.get("assignee") == "foreign":
        form = {"assignee": stranger.pk}

    response = signed_in(operator).post(address_of("acknowledge"), {"run": [run.pk], **form})

    assert response.status_code == 400
    assert "Nothing was saved." in response.content.decode()
    assert ready_ids(response.content.decode()) == [run.pk]
    assert list(OperationRun.objects.needs_attention()) == [run]


# --- selection --------------------------------------------------------------------------------


def test_all_that_match_the_filter_are_previewed(tenant, operator):
    other = TenantFactory(workspace=tenant.workspace)
    matching = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(60)]
    not_matching = OperationRunFactory(tenant=other, failed=True)
    query = {"view": "attention", "tenant": tenant.pk, "run": [not_matching.pk]}

    html = preview(operator, "acknowledge", all="1", **query)
    post(operator, "acknowledge", run=ready_ids(html))

    assert counts(html) == {"can be acknowledged": len(matching)}
    assert f'href="{LIST}?view=attention&amp;tenant={tenant.pk}"' in html
    assert list(OperationRun.objects.needs_attention()) == [not_matching]


def test_a_run_that_matches_the_filter_later_is_not_changed(tenant, operator):
    shown = OperationRunFactory(tenant=tenant, failed=True)
    html = preview(operator, "acknowledge", all="1")
    later = OperationRunFactory(tenant=tenant, failed=True)

    post(operator, "acknowledge", run=ready_ids(html), all="1")

    assert ready_ids(html) == [shown.pk]
    assert list(OperationRun.objects.needs_attention()) == [later]


def test_the_newest_runs_are_previewed_if_more_match(tenant, operator, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_BULK", 2)
    oldest, *_ = (OperationRunFactory(tenant=tenant, failed=True) for _ in range(3))

    html = preview(operator, "acknowledge", all="1")

    assert "At most 2 runs are changed at a time: the newest." in html
    assert len(ready_ids(html)) == 2
    assert oldest.pk not in ready_ids(html)


@pytest.mark.parametrize("query", [{}, {"all": "yes"}, {"all": "1"}])
def test_a_preview_without_runs_says_so(workspace, operator, query):
    html = preview(operator, "acknowledge", **query)

    assert "No runs are selected." in html
    assert '<button type="submit" class="btn btn-primary">' not in html


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"run": ["x"]}, 400),
        ({"run": ["1.5"]}, 400),
        ({"run": ["-1"]}, 400),
        ({"run": ["9" * 30]}, 400),
        ({"run": ["\x00"]}, 400),
        ({"run": list(range(1, 502))}, 400),
        ({"run": ["999999999999"]}, 404),
        ({"all": "1", "since": "2026-02-30"}, 400),
        ({"all": "1", "q": "\x00"}, 400),
        ({"all": "1", "tenant": "999999999"}, 400),
    ],
)
def test_an_invalid_selection_is_refused(tenant, operator, query, status):
    run = OperationRunFactory(tenant=tenant, failed=True)

    assert signed_in(operator).get(address_of("acknowledge"), query).status_code == status
    if "run" in query:
        form = {"run": [run.pk, *query["run"]]}
        assert signed_in(operator).post(address_of("acknowledge"), form).status_code == status
    assert list(OperationRun.objects.needs_attention()) == [run]


@pytest.mark.parametrize("action", ["acknowledge", "retry", "cancel"])
def test_with_a_run_of_another_workspace_nothing_is_changed(tenant, manager, action):
    foreign, own = OperationRunFactory(failed=True), OperationRunFactory(tenant=tenant, failed=True)
    queued = create_queued_run(tenant, 1)
    client = signed_in(manager)

    for send in (client.get, client.post):
        response = send(address_of(action), {"run": [own.pk, queued.pk, foreign.pk]})
        missing = send(address_of(action), {"run": [own.pk, queued.pk, 999999999]})
        assert (response.status_code, missing.status_code) == (404, 404)
        assert response.content == missing.content

    assert set(OperationRun.objects.needs_attention()) == {foreign, own}
    assert list(OperationRun.objects.active()) == [queued]


def test_a_search_that_takes_too_long_is_reported(tenant, operator, monkeypatch):
    monkeypatch.setattr(bulk, "LIST_SECONDS", 0.05)
    slow = RawSQL("SELECT pg_sleep(1) IS NOT NULL", [], output_field=BooleanField())
    monkeypatch.setattr(RunFilter, "by_view", lambda _, runs, *__: runs.filter(slow))
    OperationRunFactory(tenant=tenant, failed=True)

    response = signed_in(operator).get(address_of("acknowledge"), {"all": "1", "view": "day"})

    assert response.status_code == 503
    assert "The search took too long." in response.content.decode()


@pytest.mark.parametrize("action", ["acknowledge", "retry", "cancel"])
def test_a_preview_has_at_most_fifteen_statements(
    tenant, operator, action, django_assert_max_num_queries
):
    runs = [create_failed_run(tenant, number) for number in range(12)]
    client = signed_in(operator)

    with django_assert_max_num_queries(15):
        client.get(address_of(action), {"run": [run.pk for run in runs]})


def test_bulk_actions_are_shown_to_permitted_members_only(tenant, reader, operator):
    create_queued_run(tenant, 1)

    operator_page = signed_in(operator).get(LIST).content.decode()
    reader_page = signed_in(reader).get(LIST).content.decode()

    assert re.findall(r'formaction="/w/contoso/runs/(\w+)/"', operator_page) == [
        "acknowledge",
        "retry",
        "cancel",
    ]
    assert operator_page.count("name=run value") == 1
    assert 'id="bulk"' not in reader_page
    assert "name=run value" not in reader_page
    assert "name=run value" not in signed_in(operator).get("/runs/").content.decode()


def test_the_form_is_outside_the_part_that_polls(tenant, operator):
    create_queued_run(tenant, 1)
    address = f"{LIST}?part=run-rows"

    rows = signed_in(operator).get(address, headers={"HX-Request": "true"}).content.decode()

    assert "form=bulk" in rows
    assert 'id="bulk"' not in rows
    assert RunStatus.QUEUED in rows
