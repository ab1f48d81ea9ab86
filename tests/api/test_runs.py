"""Reading and changing runs with a token."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.models import Tenant, User, Workspace
from tests.support.factories import (
    OperationRunFactory,
)
from tests.support.tokens import open_api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(manager: User, workspace: Workspace) -> Client:
    return open_api(manager, workspace)


def test_runs_are_listed_newest_first_page_by_page(api: Client, tenant: Tenant) -> None:
    runs = [OperationRunFactory(tenant=tenant, failed=True) for _ in range(5)]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/api/v1/runs", {"limit": 2, "cursor": cursor}).json()
        seen += [run["id"] for run in page["items"]]
        cursor = page["next"]

    assert seen == [run.pk for run in reversed(runs)]


def test_a_run_has_what_its_page_shows(api: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True)

    response = api.get(f"/api/v1/runs/{run.pk}")

    assert response.status_code == 200
    body = response.json()
    assert body["tenant"] == {"id": tenant.pk, "name": "Fabrikam"}
    assert (body["status"], body["outcome"]) == ("completed", "failed")
