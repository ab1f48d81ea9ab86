"""The search in all workspaces, as a page and as the content of the palette."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from operations.models import OperationRun, OperationRunItem
from operations.search import Reference
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tenancy.search import PAGES
from tenancy.views import search as search_view
from tests.support.factories import (
    MembershipFactory,
    OperationRunFactory,
    OperationRunItemFactory,
    TenantFactory,
    WorkspaceFactory,
    failure,
)
from tests.support.factories.inventory import PolicyFactory
from tests.support.sessions import open_session
from web.statement_timeout import TookTooLong

pytestmark = pytest.mark.django_db

TEMPLATES = Path(__file__).parents[2] / "templates" / "components"
REQUEST_ID = "6a3c5b7e-9f10-4d0a-9d2f-1f0b2c9e5a8e"
REFERENCE = "0123456789ab"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def hits(page: Client, text: str) -> list[str]:
    """Return the addresses of the results."""
    html = page.get("/search/", {"q": text}).content.decode()
    return [part.split('"')[0] for part in html.split('<a href="')[1:] if "data-hit" in part[:120]]


def fail_with_reference(tenant: Tenant) -> OperationRun:
    failures = [failure("unexpected_error", f"It stopped (reference {REFERENCE}).", 1)]
    run: OperationRun = OperationRunFactory(tenant=tenant, running=True, failure_summary=failures)
    return run


def test_tenants_policies_runs_and_pages_are_found(
    page: Client, tenant: Tenant, operator: User
) -> None:
    other = WorkspaceFactory(slug="other", name="Other")
    MembershipFactory(user=operator, workspace=other, role=Role.READER)
    elsewhere = TenantFactory(workspace=other, name="Fabrikam branch")
    policy = PolicyFactory(tenant=elsewhere, name="Require MFA for admins", graph_id="graph-4711")
    run = fail_with_reference(tenant)
    OperationRunItemFactory(run=run, request_id=REQUEST_ID)

    assert hits(page, "fabri") == [tenant.get_absolute_url(), elsewhere.get_absolute_url()]
    assert hits(page, str(tenant.external_id)) == [tenant.get_absolute_url()]
    assert hits(page, "mfa for") == [policy.get_absolute_url()]
    assert hits(page, "graph-4711") == [policy.get_absolute_url()]
    for text in (str(run.pk), f"#{run.pk}", REFERENCE, REQUEST_ID):
        assert run.get_absolute_url() in hits(page, text)
    assert hits(page, "incid other") == ["/w/other/incidents/"]


def test_every_tab_is_found() -> None:
    tabs = set(re.findall(r"url '(\w+)' slug", (TEMPLATES / "tab_links.html").read_text()))

    assert tabs - {route for _, route in PAGES} == {"legacy_run_list"}


def test_other_workspaces_are_not_searched(page: Client, tenant: Tenant) -> None:
    foreign = TenantFactory(name="Contoso secret")
    PolicyFactory(tenant=foreign, name="Secret policy", graph_id="graph-1")
    run = fail_with_reference(foreign)
    OperationRunItemFactory(run=run, request_id=REQUEST_ID)

    for text in (
        "secret",
        "graph-1",
        f"#{run.pk}",
        REFERENCE,
        REQUEST_ID,
        str(foreign.external_id),
    ):
        assert hits(page, text) == [], text


@pytest.mark.parametrize("text", ["\x00", "x" * 101])
def test_an_invalid_text_is_refused(page: Client, tenant: Tenant, text: str) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        assert page.get("/search/", {"q": text}, headers=headers).status_code == 400


@pytest.mark.parametrize("text", ["", " ", "%", "_", "'", "9" * 30, "#", "<script>", "\u202e"])
def test_any_other_text_finds_what_it_says(page: Client, tenant: Tenant, text: str) -> None:
    response = page.get("/search/", {"q": text})

    assert response.status_code == 200
    assert b"<script>alert" not in response.content


def test_the_palette_gets_the_results_without_a_page(page: Client, tenant: Tenant) -> None:
    html = page.get("/search/", {"q": "fabri"}, headers={"HX-Request": "true"}).content.decode()

    assert tenant.get_absolute_url() in html
    assert "<html" not in html
    nothing = page.get("/search/", {"q": "qqqq"}, headers={"HX-Request": "true"}).content.decode()
    assert "Nothing found for “qqqq”." in nothing


def test_a_search_that_takes_too_long_says_so(
    page: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def time_out(*_: object) -> None:
        raise TookTooLong

    monkeypatch.setattr(search_view, "search", time_out)

    assert page.get("/search/", {"q": "fabri"}).status_code == 503


def test_a_search_has_at_most_fifteen_statements(
    page: Client, tenant: Tenant, django_assert_max_num_queries: Any
) -> None:
    TenantFactory.create_batch(20, workspace=tenant.workspace, name="Fabrikam 123456789012")

    with django_assert_max_num_queries(15):
        page.get("/search/", {"q": "123456789012"})


def test_indexes_find_references_and_request_ids(tenant: Tenant) -> None:
    run = fail_with_reference(tenant)
    OperationRunItemFactory(run=run, request_id=REQUEST_ID)
    with connection.cursor() as cursor:
        # In a table of one row, every index is as good as another.
        cursor.execute(
            "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status,"
            " outcome, run_identity_hash, created_at, started_at, completed_at)"
            " SELECT %s, %s, 'Schedule', 'backup_schedule.run_now', 'completed', 'succeeded',"
            " encode(sha256(n::text::bytea), 'hex'), now(), now(), now()"
            " FROM generate_series(1, 2000) n",
            [tenant.workspace_id, tenant.pk],
        )
        cursor.execute(
            "INSERT INTO operation_run_items (run_id, key, label, outcome, reason_code, message,"
            " request_id, link) SELECT %s, n, '', 'succeeded', '', '', '', ''"
            " FROM generate_series(1, 2000) n",
            [run.pk],
        )
        cursor.execute("ANALYZE operation_runs, operation_run_items")
    by_reference = OperationRun.objects.annotate(reference=Reference("failure_summary")).filter(
        reference=REFERENCE
    )

    assert list(by_reference) == [run]
    assert "runs_reference" in json.dumps(by_reference.order_by().explain(format="json"))
    items = OperationRunItem.objects.filter(request_id=REQUEST_ID).order_by()
    assert "run_items_by_request" in json.dumps(items.explain(format="json"))


def test_a_user_switches_the_shortcuts_off(page: Client, tenant: Tenant, operator: User) -> None:
    assert "data-shortcuts" not in page.get("/search/").content.decode()

    page.post("/account/shortcuts/", {"shortcuts": "off"})
    html = page.get("/search/").content.decode()
    assert 'data-shortcuts="off"' in html
    page.post("/account/shortcuts/", {"shortcuts": "on"})

    assert "data-shortcuts" not in page.get("/search/").content.decode()
