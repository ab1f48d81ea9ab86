"""The page of retention, its button, and the page of a removed run."""

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
def removed(tenant: Any, settings: Any) -> OperationRun:
    """A run that retention has removed, and another one that it left without details."""
    settings.RUN_KEEP_LAST = 1
    removed = create_past_run(tenant, 900)
    create_past_run(tenant, 40)
    create_past_run(tenant, 1)
    prune(tenant.workspace)
    return removed


def signed_in(person: Any) -> Client:
    client = Client()
    open_session(client, person)
    return client


@pytest.mark.parametrize("address", ["run_detail", "run_log"])
def test_a_removed_run_has_a_page_for_members(removed, reader, address):
    answer = signed_in(reader).get(reverse(address, args=[removed.pk]))

    assert answer.status_code == 410
    text = answer.content.decode()
    assert "Retention removed this run." in text
    assert "Backup now" in text
    assert "Fabrikam" in text
    assert "40 succeeded" in text


@pytest.mark.parametrize("address", ["run_detail", "run_log"])
def test_for_others_a_removed_run_is_as_missing_as_any(removed, stranger, address):
    client = signed_in(stranger)

    answers = [client.get(reverse(address, args=[pk])) for pk in (removed.pk, 2**40)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("name", ["run_cancel", "run_retry", "run_acknowledge"])
def test_nothing_can_be_done_with_a_removed_run(removed, owner, name):
    assert signed_in(owner).post(reverse(name, args=[removed.pk])).status_code == 404


def test_a_run_without_details_says_since_when_and_keeps_its_story(removed, reader):
    bare = OperationRun.objects.get(details_removed_at__isnull=False)
    client = signed_in(reader)

    page = client.get(bare.get_absolute_url()).content.decode()
    log = b"".join(client.get(reverse("run_log", args=[bare.pk]))).decode()

    assert "Retention removed the details on" in page
    assert "succeeded." in page
    assert "Retention removed the timeline at" in log


def test_the_page_says_what_is_kept_for_how_long(reader, workspace, settings):
    settings.RUN_KEEP_DAYS = 377

    page = signed_in(reader).get(reverse("retention_policy", args=["contoso"])).content.decode()

    assert "377 days" in page
    assert "No runs are due for removal yet." in page
    assert "Remove old runs" not in page


def test_a_manager_starts_it_and_the_same_form_starts_it_once(manager, tenant):
    client = signed_in(manager)
    assert b"Remove old runs" in client.get(reverse("retention_policy", args=["contoso"])).content
    form = {"submission": "5b0f5c1e-7a2f-4d0b-9c51-4f1c6f6f1d11"}

    first = client.post(reverse("retention_prune", args=["contoso"]), form)
    execution.execute(OperationRun.objects.get(type=PRUNE).pk)
    second = client.post(reverse("retention_prune", args=["contoso"]), form)

    run = OperationRun.objects.get(type=PRUNE)
    assert first["Location"] == second["Location"] == run.get_absolute_url()
    assert run.user == manager


def test_an_operator_may_not(operator, workspace):
    assert signed_in(operator).post(reverse("retention_prune", args=["contoso"])).status_code == 403


def test_an_old_run_that_is_young_enough_is_there(reader, tenant):
    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    run = OperationRunFactory(tenant=tenant, succeeded=True, created_at=at)

    assert signed_in(reader).get(run.get_absolute_url()).status_code == 200
