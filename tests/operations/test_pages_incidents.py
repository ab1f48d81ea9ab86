"""The pages of incidents: list, detail, retry and acknowledgment."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from django.test import Client

from operations.models import Incident, OperationRun
from operations.views import incidents as views
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.incidents import create_incident, fail_for, succeed_for
from tests.support.sessions import open_session
from web.keyset import page_of

LIST = "/w/contoso/incidents/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def incident(tenant: Tenant) -> Incident:
    """An open incident of three tenants."""
    return create_incident(tenant)


def close(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(
        closed_at=incident.last_run_at, close_reason="acknowledged"
    )


def test_the_list_shows_open_incidents_first(page: Client, tenant: Tenant) -> None:
    closed = create_incident(tenant, code="throttled")
    close(closed)
    returned = create_incident(tenant, code="throttled")

    html = page.get(LIST).content.decode()

    assert html.index(f"incident-{returned.pk}") < html.index(f"incident-{closed.pk}")
    assert "2nd time since" in html
    assert "0 of 3 tenants recovered" in html


def test_an_empty_list_explains_what_an_incident_is(page: Client, tenant: Tenant) -> None:
    assert "No open incidents." in page.get(LIST).content.decode()
    assert "Open incidents" not in page.get("/w/contoso/").content.decode()


def test_the_overview_shows_the_open_incidents(page: Client, incident: Incident) -> None:
    html = page.get("/w/contoso/").content.decode()

    assert "Open incidents" in html
    assert incident.get_absolute_url() in html


def test_the_page_of_an_incident_shows_its_numbers_and_runs(
    page: Client, incident: Incident, tenant: Tenant
) -> None:
    html = page.get(incident.get_absolute_url()).content.decode()

    assert "Microsoft Graph unavailable: HTTP 503" in html
    assert "3 tenants, 3 runs with this cause." in html
    assert html.count("data-row-link") == 3
    assert "<bdi>Fabrikam</bdi>" in html
    assert f"{incident.get_absolute_url()}retry/" in html


def test_the_next_step_names_the_permission(page: Client, tenant: Tenant) -> None:
    incident = create_incident(
        tenant, code="permission_missing", kind="groups", permission="Group.Read.All"
    )

    html = page.get(incident.get_absolute_url()).content.decode()

    assert "Grant Group.Read.All to the app registration" in html


def test_pages_of_runs_and_incidents_are_keyset_pages(
    page: Client, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = incident.get_absolute_url()
    monkeypatch.setattr(views, "page_of", functools.partial(page_of, size=2))
    first = page.get(address).content.decode()
    older = first.split("older=")[1].split('"')[0]

    second = page.get(f"{address}?older={older}").content.decode()

    assert first.count("data-row-link") == 2
    assert second.count("data-row-link") == 1


@pytest.mark.parametrize("address", [LIST, "detail"])
def test_an_invalid_cursor_is_refused(page: Client, incident: Incident, address: str) -> None:
    address = incident.get_absolute_url() if address == "detail" else address

    for cursor in ("older=x", "newer=%00", "older=" + "a" * 500):
        response = page.get(f"{address}?{cursor}")
        assert response.status_code == 400
        assert b"The link to this page is not valid." in response.content


def test_unchanged_pages_are_answered_with_204(
    page: Client, incident: Incident, same_minute: None
) -> None:
    for address, part in ((LIST, "incidents"), (incident.get_absolute_url(), "incident")):
        html = page.get(address).content.decode()
        seen = html.split("seen=")[1].split('"')[0]
        live = f"{address}?part={part}&seen={seen}"
        assert page.get(live, headers=HTMX).status_code == 204
    succeed_for(Tenant.objects.get(name="Fabrikam"), 4711)
    assert page.get(live, headers=HTMX).status_code == 200


def test_a_foreign_incident_is_the_same_404_as_a_missing_one(page: Client, tenant: Tenant) -> None:
    foreign = create_incident(TenantFactory())

    for suffix in ("", "retry/", "acknowledge/"):
        missing = page.get(f"{LIST}999999999/{suffix}")
        response = page.get(f"{LIST}{foreign.pk}/{suffix}")
        assert response.status_code == missing.status_code == 404
        assert response.content == missing.content


@pytest.mark.parametrize("action", ["retry", "acknowledge"])
def test_a_reader_has_no_actions(
    client: Client, reader: User, incident: Incident, action: str
) -> None:
    open_session(client, reader)

    assert client.get(f"{incident.get_absolute_url()}{action}/").status_code == 403
    assert client.post(f"{incident.get_absolute_url()}{action}/").status_code == 403
    assert f"/{action}/" not in client.get(incident.get_absolute_url()).content.decode()


# --- retry ----------------------------------------------------------------------------------------


def posted(page: Client, address: str, **form: Any) -> str:
    """Post the form of a preview; return the page with the results."""
    html = page.get(address).content.decode()
    runs = re.findall(r'type="hidden" name="run" value="(\d+)"', html)
    response = page.post(address, {"run": runs, **form})
    assert response.status_code == 200, response.content
    return response.content.decode()


def test_every_run_of_an_incident_is_retried_once(page: Client, incident: Incident) -> None:
    address = f"{incident.get_absolute_url()}retry/"
    assert "Retry 3 runs</button>" in page.get(address).content.decode()

    html = posted(page, address)

    assert "<strong>3</strong> retried" in html
    assert f'href="{incident.get_absolute_url()}"' in html
    assert OperationRun.objects.active().count() == 3
    again = page.get(address).content.decode()
    assert "<strong>3</strong> already being retried" in again
    assert '<button type="submit" class="btn btn-primary">' not in again


def test_only_the_last_run_of_an_operation_is_retried(page: Client, tenant: Tenant) -> None:
    incident = create_incident(tenant)
    fail_for(tenant, 4711)
    assert OperationRun.objects.filter(tenant=tenant).count() == 2

    posted(page, f"{incident.get_absolute_url()}retry/")

    assert OperationRun.objects.active().filter(tenant=tenant).count() <= 1


def test_a_run_of_another_incident_is_not_retried(
    page: Client, incident: Incident, tenant: Tenant
) -> None:
    other = OperationRun.objects.filter(incident=create_incident(tenant, code="throttled")).first()
    assert other

    response = page.post(f"{incident.get_absolute_url()}retry/", {"run": [other.pk]})

    assert response.status_code == 404
    assert not OperationRun.objects.active().exists()


# --- acknowledge ----------------------------------------------------------------------------------


def test_every_run_of_an_incident_is_acknowledged_with_a_note(
    page: Client, incident: Incident, manager: User
) -> None:
    address = f"{incident.get_absolute_url()}acknowledge/"
    assert "Acknowledge 3 runs</button>" in page.get(address).content.decode()

    html = posted(page, address, note="Ticket 4711", assignee=manager.pk)

    assert "<strong>3</strong> acknowledged" in html
    runs = OperationRun.objects.filter(incident=incident)
    assert {run.acknowledgment_note for run in runs} == {"Ticket 4711"}
    assert {run.assigned_to_id for run in runs} == {manager.pk}
    assert not OperationRun.objects.needs_attention().exists()
    assert "Every run of this incident" in page.get(address).content.decode()


# --- statements -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["list", "", "retry/", "acknowledge/"])
def test_no_page_has_more_than_fifteen_statements(
    page: Client, tenant: Tenant, django_assert_max_num_queries: Any, suffix: str
) -> None:
    for number in range(4):
        create_incident(tenant, code="permission_missing", kind="x", permission=f"P{number}.Read")
    incident = Incident.objects.first()
    assert incident
    address = LIST if suffix == "list" else f"{incident.get_absolute_url()}{suffix}"

    with django_assert_max_num_queries(15):
        assert page.get(address).status_code == 200
