"""Bulk actions apply the same service and rules to each run as its own button does."""

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


def signed_in(user: Any) -> Client:
    client = Client()
    open_session(client, user)
    return client


def post(user: Any, action: str, **form: Any) -> tuple[str, str]:
    """Post a bulk action; return the address it redirects to and its message."""
    response = signed_in(user).post(reverse(f"run_{action}_many", args=["contoso"]), form)
    assert response.status_code == 302, response.content
    (message,) = get_messages(response.wsgi_request)
    return response["Location"], str(message)


def create_failed_run(tenant: Any, schedule: int) -> OperationRun:
    return create_ended_run(tenant, schedule, total=1, processed=1, failed=1)


def test_bulk_cancel_treats_each_selected_run_like_its_own_button(tenant, manager):
    queued, running = create_queued_run(tenant, 1), create_running_run(tenant, 2)
    ended = create_failed_run(tenant, 3)

    location, message = post(manager, "cancel", run=[queued.pk, running.pk, ended.pk])

    assert location == LIST
    for text in ("1 cancelled", "1 stopping", "1 already ended"):
        assert text in message
    queued.refresh_from_db()
    running.refresh_from_db()
    assert queued.outcome == "cancelled"
    assert running.cancel_requested_by == manager
    assert queued.events.filter(kind="cancelled", actor=manager.username).exists()


def test_an_operator_cancels_own_runs_and_the_others_are_counted_as_not_permitted(tenant, operator):
    own = create_queued_run(tenant, 1, by=operator)
    other = create_queued_run(tenant, 2)

    _, message = post(operator, "cancel", run=[own.pk, other.pk])

    assert message == "Runs: 1 cancelled, 1 not permitted."
    other.refresh_from_db()
    assert other.is_queued


def test_failed_runs_are_retried_and_the_others_are_counted(tenant, operator):
    first, second = create_failed_run(tenant, 1), create_failed_run(tenant, 2)
    fine = create_ended_run(tenant, 3, total=1, processed=1, succeeded=1)
    duplicate = create_failed_run(tenant, 1)

    _, message = post(operator, "retry", run=[first.pk, second.pk, fine.pk, duplicate.pk])

    assert "2 retried" in message
    assert "1 already being retried" in message
    assert "1 not retryable" in message
    assert {run.retry_of_id for run in OperationRun.objects.active()} <= {
        first.pk,
        second.pk,
        duplicate.pk,
    }
    assert OperationRun.objects.active().count() == 2


def test_the_same_form_posted_twice_retries_once(tenant, operator):
    run = create_failed_run(tenant, 1)
    form = {"run": [run.pk], "submission": "5b0f5c1e-7a2f-4d0b-9c51-4f1c6f6f1d11"}

    post(operator, "retry", **form)
    _, message = post(operator, "retry", **form)

    assert message == "Runs: 1 already being retried."
    assert run.retries.count() == 1


def test_runs_that_need_attention_are_acknowledged(tenant, operator):
    runs = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(3)]
    fine = OperationRunFactory(tenant=tenant, succeeded=True)

    _, message = post(operator, "acknowledge", run=[run.pk for run in [*runs, fine]])

    assert message == "Runs: 3 acknowledged, 1 without need for attention."
    assert not OperationRun.objects.needs_attention().exists()


def test_select_all_applies_to_every_run_that_matches_the_filter(tenant, operator):
    other = TenantFactory(workspace=tenant.workspace)
    matching = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(60)]
    not_matching = OperationRunFactory(tenant=other, failed=True)
    query = f"view=attention&tenant={tenant.pk}"

    location, message = post(operator, "acknowledge", all="1", filter=query, run=[not_matching.pk])

    assert message == f"Runs: {len(matching)} acknowledged."
    assert location == f"{LIST}?{query}"
    assert list(OperationRun.objects.needs_attention()) == [not_matching]


def test_select_all_is_limited_to_the_newest_runs(tenant, operator, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_BULK", 2)
    oldest, *_ = (OperationRunFactory(tenant=tenant, failed=True) for _ in range(3))

    _, message = post(operator, "acknowledge", all="1")

    assert message == "Runs: 2 acknowledged."
    assert list(OperationRun.objects.needs_attention()) == [oldest]


def test_more_selected_runs_than_the_limit_are_refused(tenant, operator):
    _, message = post(operator, "acknowledge", run=list(range(1, 502)))

    assert message == "Select at most 500 runs at a time."


@pytest.mark.parametrize(
    ("form", "message"),
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
def test_an_invalid_selection_is_explained(workspace, operator, form, message):
    assert message in post(operator, "acknowledge", **form)[1]


def test_a_run_of_another_workspace_is_reported_as_not_found(tenant, operator, stranger):
    foreign = OperationRunFactory(failed=True)

    _, message = post(operator, "acknowledge", run=[foreign.pk])

    assert message == "Runs: 1 not found."
    foreign.refresh_from_db()
    assert foreign.acknowledged_at is None


@pytest.mark.parametrize("filter_", ["next=//evil.example", "older=x&view=attention&q=%0d%0aX: y"])
def test_the_redirect_leads_to_the_list_whatever_the_form_contains(workspace, operator, filter_):
    location, _ = post(operator, "acknowledge", filter=filter_)

    assert location.startswith(LIST)
    assert "evil" not in location
    assert "\n" not in location


def test_bulk_actions_are_shown_to_permitted_members_only(tenant, reader, operator):
    create_queued_run(tenant, 1)

    operator_page = signed_in(operator).get(LIST).content.decode()
    reader_page = signed_in(reader).get(LIST).content.decode()

    assert re.findall(r'formaction="/w/contoso/runs/(\w+)/"', operator_page) == [
        "acknowledge",
        "retry",
        "cancel",
    ]
    assert operator_page.count("data-pick") == 1
    assert 'id="bulk"' not in reader_page
    assert "data-pick" not in reader_page
    assert "data-pick" not in signed_in(operator).get("/runs/").content.decode()


def test_the_form_is_outside_the_part_that_polls(tenant, operator):
    create_queued_run(tenant, 1)
    address = f"{LIST}?part=run-rows"

    rows = signed_in(operator).get(address, headers={"HX-Request": "true"}).content.decode()

    assert 'form="bulk"' in rows
    assert "csrfmiddlewaretoken" not in rows
    assert RunStatus.QUEUED in rows
