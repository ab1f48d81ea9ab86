"""The pages of endpoints: their secrets are shown once, and their addresses never."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from audit.models import AuditEntry
from notifications import endpoints
from notifications.endpoints import MAX_ENDPOINTS
from notifications.models import NotificationDelivery, NotificationRule, WebhookEndpoint
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.notifications import (
    add_endpoint,
    create_delivery,
    create_rule,
    create_webhook,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

LIST = "/w/contoso/notifications/endpoints/"
DELIVERIES = "/w/contoso/notifications/deliveries/"
TOKEN = "q8Zk2vN4xT7pL1mR"
URL = f"https://hooks.slack.com/services/T0/B0/{TOKEN}"
FORM = {"name": "Tickets", "format": "standard", "url": URL}


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    open_session(client, owner)
    return client


@pytest.fixture
def endpoint(tenant: Tenant) -> WebhookEndpoint:
    return add_endpoint(tenant.workspace, URL, name="Tickets")[0]


def text(response: Any) -> str:
    return str(response.content.decode())


def secret_in(html: str) -> str:
    start = html.index("whsec_")
    return html[start : html.index("<", start)]


def test_an_endpoint_is_added_and_its_secret_is_shown_once(page: Client, tenant: Tenant) -> None:
    html = text(page.post(f"{LIST}new/", FORM))

    endpoint = WebhookEndpoint.objects.get()
    secret = secret_in(html)
    assert endpoints.secrets_of(endpoint) == [secret]
    assert Webhook(secret).sign("msg_1", timezone.now(), "{}").startswith("v1,")
    assert (endpoint.host, endpoint.created_by_name) == ("hooks.slack.com", "owen")
    for address in (LIST, endpoint.get_absolute_url(), f"{endpoint.get_absolute_url()}edit/"):
        html = text(page.get(address))
        assert "whsec_" not in html
        assert TOKEN not in html
        assert "Tickets" in html


@pytest.mark.parametrize("endpoint_format", ["slack", "teams"])
def test_an_endpoint_of_slack_or_teams_has_no_secret(
    page: Client, tenant: Tenant, endpoint_format: str
) -> None:
    response = page.post(f"{LIST}new/", FORM | {"format": endpoint_format})

    endpoint = WebhookEndpoint.objects.get()
    assert response["Location"] == endpoint.get_absolute_url()
    assert (endpoint.format, endpoint.encrypted_secret) == (endpoint_format, "")
    rotation = f"{endpoint.get_absolute_url()}rotate/"
    assert "are not signed" in text(page.get(rotation))
    page.post(rotation, {"version": endpoints.secret_version(endpoint)})
    assert WebhookEndpoint.objects.get().encrypted_secret == ""


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "Ticket\u200bs"},
        {"name": "Ticket\x00s"},
        {"url": "https://hooks.example.com/\x00"},
        {"name": "Taken"},
        {"format": "unknown"},
        {"url": ""},
        {"url": f"https://127.0.0.1/{TOKEN}"},
        {"url": f"http://hooks.example.com/{TOKEN}"},
        {"url": f"https://user:{TOKEN}@hooks.example.com/"},
        {"url": f"https://hooks.example.com/{TOKEN}/{'a' * 1000}"},
    ],
)
def test_an_endpoint_that_is_not_valid_is_refused(
    page: Client, tenant: Tenant, change: dict[str, str]
) -> None:
    add_endpoint(tenant.workspace, name="Taken")

    response = page.post(f"{LIST}new/", FORM | change)

    assert response.status_code == 400
    assert "Nothing was saved." in text(response)
    assert TOKEN not in text(response)
    assert WebhookEndpoint.objects.get().name == "Taken"


def test_there_is_a_limit_of_endpoints(page: Client, tenant: Tenant) -> None:
    for number in range(MAX_ENDPOINTS):
        add_endpoint(tenant.workspace, name=f"Endpoint {number}")

    response = page.post(f"{LIST}new/", FORM)

    assert response.status_code == 400
    assert "Delete one first." in text(response)


def test_the_name_is_changed_and_the_address_stays_without_a_new_one(
    page: Client, endpoint: WebhookEndpoint
) -> None:
    address = f"{endpoint.get_absolute_url()}edit/"
    page.post(address, {"name": "Service desk", "url": ""})
    stored = WebhookEndpoint.objects.get()
    assert (stored.name, stored.encrypted_url) == ("Service desk", endpoint.encrypted_url)

    assert page.post(address, {"name": "Other", "url": "https://10.0.0.1/"}).status_code == 400
    page.post(address, {"name": "Service desk", "url": "https://hooks.example.com:8443/new"})

    stored.refresh_from_db()
    assert (stored.name, stored.host) == ("Service desk", "hooks.example.com:8443")
    assert stored.decrypt(stored.encrypted_url, "url") == "https://hooks.example.com:8443/new"


def test_a_secret_is_rotated_once_for_one_form(page: Client, endpoint: WebhookEndpoint) -> None:
    address = f"{endpoint.get_absolute_url()}rotate/"
    form = {"version": endpoints.secret_version(endpoint)}
    assert form["version"] in text(page.get(address))

    secret = secret_in(text(page.post(address, form)))
    again = page.post(address, form, follow=True)

    stored = WebhookEndpoint.objects.get()
    assert endpoints.secrets_of(stored)[0] == secret
    assert len(endpoints.secrets_of(stored)) == 2
    assert "was rotated in the meantime" in text(again)
    assert "signs until" in text(again)


def test_a_test_is_recorded_and_refused_while_nothing_is_sent(
    page: Client, endpoint: WebhookEndpoint
) -> None:
    address = endpoint.get_absolute_url()
    page.post(f"{address}test/")
    assert "Test of Tickets." in text(page.get(address))
    page.post(f"{address}pause/")
    assert "Deliveries wait" in text(page.get(address))

    refused = page.post(f"{address}test/", follow=True)

    assert "The endpoint is paused. Resume it first." in text(refused)
    assert NotificationDelivery.objects.count() == 1
    page.post(f"{address}resume/")
    assert WebhookEndpoint.objects.get().paused_at is None


def test_a_disabled_endpoint_is_enabled(page: Client, endpoint: WebhookEndpoint) -> None:
    now = timezone.now()
    WebhookEndpoint.objects.update(disabled_at=now, failing_since=now, retry_at=now)
    assert "Enable endpoint" in text(page.get(endpoint.get_absolute_url()))

    page.post(f"{endpoint.get_absolute_url()}resume/")

    stored = WebhookEndpoint.objects.get()
    assert (stored.disabled_at, stored.failing_since, stored.retry_at) == (None, None, None)


def test_an_endpoint_that_a_rule_uses_is_not_deleted(
    page: Client, tenant: Tenant, endpoint: WebhookEndpoint
) -> None:
    rule = create_rule(tenant.workspace, endpoint=endpoint)
    create_webhook(tenant, endpoint)
    address = f"{endpoint.get_absolute_url()}delete/"

    assert "A rule sends to this endpoint." in text(page.post(address, follow=True))
    rule.delete()
    response = page.post(address)

    assert response["Location"] == LIST
    assert not WebhookEndpoint.objects.exists()
    assert not NotificationDelivery.objects.exists()


def test_a_delivery_is_sent_again_from_its_list(
    page: Client, tenant: Tenant, endpoint: WebhookEndpoint
) -> None:
    create_webhook(
        tenant, endpoint, attempts=2, answer="HTTP 200: <ok>", delivered_at=timezone.now()
    )
    delivery = NotificationDelivery.objects.get()
    html = text(page.get(DELIVERIES))
    assert "Webhook to" in html
    assert "HTTP 200: &lt;ok&gt;" in html
    assert html.count("Send again<") == 2

    page.post(f"{DELIVERIES}{delivery.pk}/send-again/")
    refused = page.post(f"{DELIVERIES}{delivery.pk}/send-again/", follow=True)

    assert "still on its way" in text(refused)
    assert NotificationDelivery.objects.filter(repetition=1).count() == 1


def test_an_email_that_was_given_up_is_sent_again_from_the_list(
    page: Client, tenant: Tenant, operator: User
) -> None:
    given_up = create_delivery(tenant, operator, attempts=30, failed_at=timezone.now())
    delivered = create_delivery(tenant, operator, attempts=1, delivered_at=timezone.now())
    assert text(page.get(DELIVERIES)).count("Send again<span") == 1

    done = page.post(f"{DELIVERIES}{given_up.pk}/send-again/", follow=True)
    refused = page.post(f"{DELIVERIES}{delivered.pk}/send-again/", follow=True)

    assert "It is sent again within a minute." in text(done)
    assert "has arrived" in text(refused)
    given_up.refresh_from_db()
    assert given_up.failed_at is None


def test_a_member_sees_endpoints_and_changes_nothing(
    client: Client, operator: User, endpoint: WebhookEndpoint
) -> None:
    open_session(client, operator)
    address = endpoint.get_absolute_url()

    assert client.get(LIST).status_code == client.get(address).status_code == 200
    assert "Edit endpoint" not in text(client.get(address))
    for action in ("test", "pause", "resume", "delete", "edit", "rotate"):
        assert client.post(f"{address}{action}/").status_code == 403
    assert WebhookEndpoint.objects.get().paused_at is None


def test_endpoints_of_another_workspace_are_not_found(page: Client, tenant: Tenant) -> None:
    foreign = create_webhook(TenantFactory(), delivered_at=timezone.now())
    for address in ("", "edit/", "rotate/"):
        assert page.get(f"{LIST}{foreign.endpoint_id}/{address}").status_code == 404
    for address in ("test/", "pause/", "resume/", "delete/", "edit/", "rotate/"):
        assert page.post(f"{LIST}{foreign.endpoint_id}/{address}").status_code == 404
    assert page.post(f"{DELIVERIES}{foreign.pk}/send-again/").status_code == 404
    rule = {"events": ["run_failed"], "in_a_row": "1", "is_shared": "on"}
    response = page.post(
        "/w/contoso/notifications/rules/new/", rule | {"endpoint": str(foreign.endpoint_id)}
    )

    assert response.status_code == 400
    assert not NotificationRule.objects.exists()
    assert WebhookEndpoint.objects.count() == NotificationDelivery.objects.count() == 1


# --- rules ----------------------------------------------------------------------------------------


def test_a_rule_for_all_members_sends_webhooks(page: Client, endpoint: WebhookEndpoint) -> None:
    rules = "/w/contoso/notifications/rules/"
    form = {"events": ["run_failed"], "in_a_row": "1", "endpoint": str(endpoint.pk)}

    refused = page.post(f"{rules}new/", form)
    assert refused.status_code == 400
    assert "A webhook is sent for all members" in text(refused)
    page.post(f"{rules}new/", form | {"is_shared": "on"})

    rule = NotificationRule.objects.get()
    assert (rule.owner, rule.endpoint, rule.in_app) == (None, endpoint, False)
    assert "By webhook to <bdi>Tickets</bdi>" in text(page.get(rules))
    assert "about Contoso Services" in text(page.get(endpoint.get_absolute_url()))


@pytest.mark.parametrize("value", ["x", "-1", "0", "9" * 40, "1\x00", "1 OR 1=1"])
def test_an_endpoint_that_does_not_exist_is_refused_in_a_rule(
    page: Client, endpoint: WebhookEndpoint, value: str
) -> None:
    form = {"events": ["run_failed"], "in_a_row": "1", "in_app": "on", "is_shared": "on"}

    response = page.post("/w/contoso/notifications/rules/new/", form | {"endpoint": value})

    assert response.status_code == 400
    assert not NotificationRule.objects.exists()


def test_a_member_cannot_select_an_endpoint(
    client: Client, operator: User, endpoint: WebhookEndpoint
) -> None:
    open_session(client, operator)
    form = {"events": ["run_failed"], "in_a_row": "1", "in_app": "on"}

    client.post("/w/contoso/notifications/rules/new/", form | {"endpoint": str(endpoint.pk)})

    assert NotificationRule.objects.get().endpoint is None


def test_an_endpoint_that_is_deleted_while_it_is_paused_is_not_found(
    page: Client, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{endpoint.get_absolute_url()}pause/"
    pause = endpoints.pause

    def delete_and_pause(each: WebhookEndpoint) -> bool:
        WebhookEndpoint.objects.filter(pk=each.pk).delete()
        return pause(each)

    monkeypatch.setattr(endpoints, "pause", delete_and_pause)

    assert page.post(address).status_code == 404


# --- traces of secrets ----------------------------------------------------------------------------


def test_no_address_or_secret_is_in_the_log_or_the_audit_log(
    page: Client, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secret = secret_in(text(page.post(f"{LIST}new/", FORM)))
    endpoint = WebhookEndpoint.objects.get()
    page.post(f"{endpoint.get_absolute_url()}edit/", {"name": "New", "url": f"{URL}2"})
    version = endpoints.secret_version(WebhookEndpoint.objects.get())
    page.post(f"{endpoint.get_absolute_url()}rotate/", {"version": version})

    entries = AuditEntry.objects.filter(object_type="webhook_endpoints")
    assert entries.count() == 3
    written = f"{list(entries.values())} {caplog.text}"
    for each in (TOKEN, secret, *endpoints.secrets_of(WebhookEndpoint.objects.get())):
        assert each not in written
    assert "rl1." not in written
    html = text(page.get(endpoint.get_absolute_url()))
    assert "Secret" in html
