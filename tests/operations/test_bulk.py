"""Many runs at once: each through the same service and the same rule as its own button."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from operations.models import OperationRun
from operations.states import RunStatus
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


def signed_in(person: Any) -> Client:
    client = Client()
    open_session(client, person)
    return client


def post(person: Any, what: str, **form: Any) -> tuple[str, str]:
    """Where the answer leads, and what it says."""
    answer = signed_in(person).post(reverse(f"run_{what}_many", args=["contoso"]), form)
    assert answer.status_code == 302, answer.content
    (told,) = get_messages(answer.wsgi_request)
    return answer["Location"], str(told)


def failed(tenant: Any, schedule: int) -> OperationRun:
    return create_ended_run(tenant, schedule, total=1, processed=1, failed=1)


def test_each_selected_run_is_cancelled_as_by_its_own_button(tenant, manager):
    queued, running = create_queued_run(tenant, 1), create_running_run(tenant, 2)
    ended = failed(tenant, 3)

    to, told = post(manager, "cancel", run=[queued.pk, running.pk, ended.pk])

    assert to == LIST
    for part in ("1 cancelled", "1 stopping", "1 already ended"):
        assert part in told
    queued.refresh_from_db()
    running.refresh_from_db()
    assert queued.outcome == "cancelled"
    assert running.cancel_requested_by == manager
    assert queued.events.filter(kind="cancelled", actor=manager.username).exists()


def test_an_operator_cancels_their_own_and_is_told_of_the_others(tenant, operator):
    own = create_queued_run(tenant, 1, by=operator)
    other = create_queued_run(tenant, 2)

    _, told = post(operator, "cancel", run=[own.pk, other.pk])

    assert told == "Runs: 1 cancelled, 1 not permitted."
    other.refresh_from_db()
    assert other.is_queued


def test_what_failed_is_retried_and_what_cannot_be_is_counted(tenant, operator):
    first, second = failed(tenant, 1), failed(tenant, 2)
    fine = create_ended_run(tenant, 3, total=1, processed=1, succeeded=1)
    again = failed(tenant, 1)

    _, told = post(operator, "retry", run=[first.pk, second.pk, fine.pk, again.pk])

    assert "2 retried" in told
    assert "1 already being retried" in told
    assert "1 not retryable" in told
    assert {run.retry_of_id for run in OperationRun.objects.active()} <= {
        first.pk,
        second.pk,
        again.pk,
    }
    assert OperationRun.objects.active().count() == 2


def test_the_same_form_posted_twice_retries_once(tenant, operator):
    run = failed(tenant, 1)
    form = {"run": [run.pk], "submission": "5b0f5c1e-7a2f-4d0b-9c51-4f1c6f6f1d11"}

    post(operator, "retry", **form)
    _, told = post(operator, "retry", **form)

    assert told == "Runs: 1 already being retried."
    assert run.retries.count() == 1


def test_what_needs_attention_is_acknowledged(tenant, operator):
    runs = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(3)]
    fine = OperationRunFactory(tenant=tenant, succeeded=True)

    _, told = post(operator, "acknowledge", run=[run.pk for run in [*runs, fine]])

    assert told == "Runs: 3 acknowledged, 1 without need for attention."
    assert not OperationRun.objects.needs_attention().exists()


def test_everything_that_the_filter_matches_and_nothing_else(tenant, operator):
    other = TenantFactory(workspace=tenant.workspace)
    ours = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(60)]
    theirs = OperationRunFactory(tenant=other, failed=True)
    kept = f"view=attention&tenant={tenant.pk}"

    to, told = post(operator, "acknowledge", all="1", filter=kept, run=[theirs.pk])

    assert told == f"Runs: {len(ours)} acknowledged."
    assert to == f"{LIST}?{kept}"
    assert list(OperationRun.objects.needs_attention()) == [theirs]


def test_all_is_at_most_the_newest_so_many(tenant, operator, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_BULK", 2)
    oldest, *_ = (OperationRunFactory(tenant=tenant, failed=True) for _ in range(3))

    _, told = post(operator, "acknowledge", all="1")

    assert told == "Runs: 2 acknowledged."
    assert list(OperationRun.objects.needs_attention()) == [oldest]


def test_more_ids_than_that_are_refused(tenant, operator):
    _, told = post(operator, "acknowledge", run=list(range(1, 502)))

    assert told == "Select at most 500 runs at a time."


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, "No runs are selected. Select runs and try again."),
        (
            {"run": ["x", "1.5", "-1", "9" * 30, "\x00"]},
            "No runs are selected. Select runs and try again.",
        ),
        ({"run": ["999999999999"]}, "Runs: 1 not found."),
        ({"all": "1"}, "No runs match the filter."),
        ({"all": "1", "filter": "since=2026-02-30"}, "The filter is not valid."),
        ({"all": "1", "filter": "q=%00"}, "The filter is not valid."),
        ({"all": "1", "filter": "x" * 100_000}, "No runs match the filter."),
        ({"all": "yes"}, "No runs are selected. Select runs and try again."),
    ],
)
def test_a_selection_that_makes_no_sense_is_told_so(workspace, operator, form, told):
    assert told in post(operator, "acknowledge", **form)[1]


def test_another_workspaces_run_is_as_missing_as_none(tenant, operator, stranger):
    foreign = OperationRunFactory(failed=True)

    _, told = post(operator, "acknowledge", run=[foreign.pk])

    assert told == "Runs: 1 not found."
    foreign.refresh_from_db()
    assert foreign.acknowledged_at is None


@pytest.mark.parametrize("filter_", ["next=//evil.example", "older=x&view=attention&q=%0d%0aX: y"])
def test_the_way_back_is_the_list_whatever_the_form_says(workspace, operator, filter_):
    to, _ = post(operator, "acknowledge", filter=filter_)

    assert to.startswith(LIST)
    assert "evil" not in to
    assert "\n" not in to


def test_buttons_and_boxes_are_there_for_those_who_may(tenant, reader, operator):
    create_queued_run(tenant, 1)

    seen = signed_in(operator).get(LIST).content.decode()
    unseen = signed_in(reader).get(LIST).content.decode()

    assert re.findall(r'formaction="/w/contoso/runs/(\w+)/"', seen) == [
        "acknowledge",
        "retry",
        "cancel",
    ]
    assert seen.count("data-pick") == 1
    assert 'id="bulk"' not in unseen
    assert "data-pick" not in unseen
    assert "data-pick" not in signed_in(operator).get("/runs/").content.decode()


def test_the_form_stands_outside_of_what_asks_for_itself_again(tenant, operator):
    create_queued_run(tenant, 1)
    address = f"{LIST}?part=run-rows"

    rows = signed_in(operator).get(address, headers={"HX-Request": "true"}).content.decode()

    assert 'form="bulk"' in rows
    assert "csrfmiddlewaretoken" not in rows
    assert RunStatus.QUEUED in rows
