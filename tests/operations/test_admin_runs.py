"""The list of runs in Django admin: keyset pages, filters and the search."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from operations.admin import RunChangeList
from operations.models import OperationRun
from operations.states import RunOutcome
from tenancy.models import User
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.sessions import open_session

ADDRESS = "/admin/operations/operationrun/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    user = User.objects.create(username="stella", is_staff=True, is_superuser=True)
    open_session(client, user)
    return client


def run_ids(staff: Client, address: str = ADDRESS) -> list[int]:
    html = staff.get(address).content.decode()
    return [int(pk) for pk in re.findall(r"operationrun/(\d+)/change/", html)]


def test_cursors_lead_through_the_runs_of_all_workspaces(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunChangeList, "page_size", 2)
    numbers = [run.pk for run in OperationRunFactory.create_batch(5)]
    read, address = run_ids(staff), ADDRESS

    while following := re.search(
        r'href="(\?after=[^"]+)">Next page', staff.get(address).content.decode()
    ):
        address = ADDRESS + following[1]
        read += run_ids(staff, address)

    assert read == numbers[::-1]
    previous = re.search(
        r'href="(\?before=[^"]+)">Previous page', staff.get(address).content.decode()
    )
    assert previous
    assert run_ids(staff, ADDRESS + previous[1]) == numbers[1:3][::-1]


def test_filters_and_the_search_select_runs(staff: Client) -> None:
    failed = OperationRunFactory(failed=True, tenant=TenantFactory(name="Fabrikam"))
    other = OperationRunFactory(succeeded=True, initiator_name="Olga")

    assert run_ids(staff, f"{ADDRESS}?outcome__exact={RunOutcome.FAILED}") == [failed.pk]
    assert run_ids(staff, f"{ADDRESS}?status__exact=running") == []
    assert run_ids(staff, f"{ADDRESS}?q=fabri") == [failed.pk]
    assert run_ids(staff, f"{ADDRESS}?q=olga") == [other.pk]
    assert run_ids(staff, f"{ADDRESS}?q=%23{other.pk}") == [other.pk]
    assert run_ids(staff, f"{ADDRESS}?q=olga&outcome__exact=failed") == []


def test_an_invalid_cursor_leads_back_to_the_list(staff: Client) -> None:
    response = staff.get(f"{ADDRESS}?after=x")

    assert response.status_code == 302
    assert response["Location"] == f"{ADDRESS}?e=1"


def test_the_list_counts_no_facets(staff: Client) -> None:
    OperationRunFactory()

    assert OperationRun.objects.count() == 1
    assert "_facets" not in staff.get(ADDRESS).content.decode()
