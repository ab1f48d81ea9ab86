"""The retention page, its button, and the page of a removed run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from operations.maintenance.prune import PRUNE
from operations.models import OperationRun
from operations.worker import execution
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import create_past_run, prune
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def removed_run(tenant: Any, settings: Any) -> OperationRun:
    """Return a run that retention removed; another run has lost its details."""
    settings.RUN_KEEP_LAST = 1
    run = create_past_run(tenant, 900)
    create_past_run(tenant, 40)
    create_past_run(tenant, 1)
    prune(tenant.workspace)
    return run


def signed_in(user: Any) -> Client:
    client = Client()
    open_session(client, user)
    return client


@pytest.mark.parametrize("address", ["run_detail", "run_log"])
def test_members_see_a_page_for_a_removed_run(removed_run, reader, address):
    response = signed_in(reader).get(reverse(address, args=[removed_run.pk]))

    assert response.status_code == 410
    text = response.content.decode()
    assert "Retention removed this run." in text
    assert "Backup now" in text
    assert "Fabrikam" in text
    assert "40 succeeded" in text


@pytest.mark.parametrize("address", ["run_detail", "run_log"])
def test_others_get_the_same_404_as_for_a_missing_run(removed_run, stranger, address):
    client = signed_in(stranger)

    responses = [client.get(reverse(address, args=[pk])) for pk in (removed_run.pk, 2**40)]

    assert [response.status_code for response in responses] == [404, 404]
    assert responses[0].content == responses[1].content


@pytest.mark.parametrize("name", ["run_cancel", "run_retry", "run_acknowledge"])
def test_a_removed_run_has_no_actions(removed_run, owner, name):
    assert signed_in(owner).post(reverse(name, args=[removed_run.pk])).status_code == 404


def test_a_run_without_details_shows_the_removal_and_its_summary(removed_run, reader):
    run = OperationRun.objects.get(details_removed_at__isnull=False)
    client = signed_in(reader)

    page = client.get(run.get_absolute_url()).content.decode()
    log = b"".join(client.get(reverse("run_log", args=[run.pk]))).decode()

    assert "Retention removed the phases on" in page
    assert "succeeded." in page
    assert "Retention removed the log at" in log


def test_the_page_shows_the_retention_periods(reader, workspace, settings):
    settings.RUN_KEEP_DAYS = 377

    page = signed_in(reader).get(reverse("retention_policy", args=["contoso"])).content.decode()

    assert "377 days" in page
    assert "No runs are due for removal yet." in page
    assert "Remove old runs" not in page


def test_a_manager_starts_retention_once_per_submission(manager, tenant):
    client = signed_in(manager)
    assert b"Remove old runs" in client.get(reverse("retention_policy", args=["contoso"])).content
    form = {"submission": "5b0f5c1e-7a2f-4d0b-9c51-4f1c6f6f1d11"}

    first = client.post(reverse("retention_prune", args=["contoso"]), form)
    execution.execute(OperationRun.objects.get(type=PRUNE).pk)
    second = client.post(reverse("retention_prune", args=["contoso"]), form)

    run = OperationRun.objects.get(type=PRUNE)
    assert first["Location"] == second["Location"] == run.get_absolute_url()
    assert run.user == manager


def test_an_operator_cannot_start_retention(operator, workspace):
    assert signed_in(operator).post(reverse("retention_prune", args=["contoso"])).status_code == 403


def test_an_old_run_keeps_its_page_until_retention_removes_it(reader, tenant):
    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    run = OperationRunFactory(tenant=tenant, succeeded=True, created_at=at)

    assert signed_in(reader).get(run.get_absolute_url()).status_code == 200
