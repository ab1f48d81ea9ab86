"""Webhooks reach a real receiver once, also after it refused, hung, was down or was throttling."""

from __future__ import annotations

import datetime as dt
import json
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from dev.services.processes import free_port
from notifications import endpoints, tasks, webhooks
from notifications.bodies import build_body, type_of
from notifications.delivering import MAX_ATTEMPTS
from notifications.kinds import EventKind, SystemEventKind
from notifications.matching import handle_events
from notifications.models import (
    Notification,
    NotificationDelivery,
    NotificationEvent,
    WebhookEndpoint,
)
from notifications.webhooks import FAILING, MAX_SHOWN, send_webhooks
from tenancy.crypto import new_key
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.incidents import fail_for
from tests.support.factories.notifications import (
    add_endpoint,
    create_event,
    create_rule,
    create_webhook,
)
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db

SITE = "https://runs.example.com"
TOKEN = "q8Zk2vN4xT7pL1mR"


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path_factory.mktemp("receiver"))
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(listening: Receiver, settings: Settings) -> Receiver:
    listening.replies.clear()
    listening.received.clear()
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.WEBHOOK_CA_BUNDLE = str(listening.ca)
    settings.SITE_URL = SITE
    settings.TICK_SECONDS = 60
    return listening


@pytest.fixture
def endpoint(receiver: Receiver, tenant: Tenant) -> WebhookEndpoint:
    return add_endpoint(tenant.workspace, f"{receiver.url}?token={TOKEN}", name="Tickets")[0]


@pytest.fixture
def webhook(endpoint: WebhookEndpoint, tenant: Tenant) -> NotificationDelivery:
    return create_webhook(tenant, endpoint)


def make_due() -> None:
    NotificationDelivery.objects.filter(delivered_at=None).update(due_at=Now())
    WebhookEndpoint.objects.update(retry_at=None)


def fail_since(endpoint: WebhookEndpoint, age: dt.timedelta) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=Now() - age)


def verified(secret: str, received: Any) -> Any:
    return Webhook(secret).verify(received.body, received.headers)


# --- what a receiver gets -------------------------------------------------------------------------


def test_a_webhook_is_signed_and_says_what_happened(receiver: Receiver, tenant: Tenant) -> None:
    endpoint, secret = add_endpoint(tenant.workspace, f"{receiver.url}?token={TOKEN}")
    webhook = create_webhook(tenant, endpoint)

    assert send_webhooks() == 1
    assert send_webhooks() == 0

    (received,) = receiver.received
    assert received.path == f"/hooks?token={TOKEN}"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Host"] == f"localhost:{receiver.port}"
    assert webhook.message_id is not None
    assert received.headers["webhook-id"] == f"msg_{webhook.message_id.hex}"
    body = verified(secret, received)
    assert dt.datetime.fromisoformat(body.pop("timestamp")).utcoffset() == dt.timedelta(0)
    assert body == {
        "type": "backup.late",
        "version": 1,
        "data": {
            "level": "warning",
            "title": "The backup of Fabrikam is late.",
            "detail": "The objective is 24 hours, with a tolerance of 2 hours.",
            "url": f"{SITE}{tenant.get_absolute_url()}",
            "workspace": {"slug": "contoso", "name": "Contoso Services"},
            "tenant": {
                "id": tenant.pk,
                "name": "Fabrikam",
                "entra_tenant_id": str(tenant.external_id),
            },
            "subject": {"type": "tenant", "id": tenant.pk},
        },
    }
    with pytest.raises(WebhookVerificationError):
        verified("whsec_" + "b" * 44, received)
    webhook.refresh_from_db()
    assert webhook.delivered_at is not None
    assert (webhook.attempts, webhook.answer) == (1, "HTTP 200: ok")


def test_a_tick_sends_what_is_due_once_within_its_interval(
    receiver: Receiver, webhook: NotificationDelivery
) -> None:
    NotificationDelivery.objects.update(due_at=Now() + dt.timedelta(hours=1))
    tasks.send_webhooks()
    make_due()

    tasks.send_webhooks()
    assert receiver.received == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_ticks SET at = at - interval '1 minute'")
    tasks.send_webhooks()

    assert len(receiver.received) == 1


def test_during_the_overlap_of_a_rotation_both_secrets_verify(
    receiver: Receiver, tenant: Tenant
) -> None:
    endpoint, old = add_endpoint(tenant.workspace, receiver.url)
    new = endpoints.rotate_secret(endpoint, version=endpoints.secret_version(endpoint))
    create_webhook(tenant, endpoint)
    send_webhooks()

    (during,) = receiver.received
    assert verified(new, during)
    assert verified(old, during)
    WebhookEndpoint.objects.update(previous_until=Now())
    create_webhook(tenant, endpoint)
    send_webhooks()

    after = receiver.received[1]
    assert verified(new, after)
    with pytest.raises(WebhookVerificationError):
        verified(old, after)


def test_a_rotation_that_is_repeated_changes_nothing(endpoint: WebhookEndpoint) -> None:
    version = endpoints.secret_version(endpoint)
    endpoints.rotate_secret(endpoint, version=version)
    before = WebhookEndpoint.objects.get()

    with pytest.raises(ValidationError, match="in the meantime"):
        endpoints.rotate_secret(endpoint, version=version)

    assert WebhookEndpoint.objects.get().encrypted_secret == before.encrypted_secret


def test_a_message_of_slack_contains_names_as_plain_text(
    receiver: Receiver, tenant: Tenant
) -> None:
    endpoint, secret = add_endpoint(tenant.workspace, receiver.url, "slack")
    event = create_event(tenant, title="<!channel> & *bold*")
    create_webhook(tenant, endpoint, event=event)

    assert (send_webhooks(), secret) == (1, "")

    (received,) = receiver.received
    assert "webhook-signature" not in received.headers
    message = json.loads(received.body)
    section, context = message["blocks"]
    assert message["text"] == "&lt;!channel&gt; &amp; *bold*"
    assert section["text"] == {
        "type": "plain_text",
        "text": f"<!channel> & *bold*\n{event.detail}",
        "emoji": False,
    }
    link = f"<{SITE}{event.path}|Open in Runledger>"
    assert context["elements"][0]["text"] == f"Contoso Services · {link}"


def test_a_message_of_teams_is_an_adaptive_card(receiver: Receiver, tenant: Tenant) -> None:
    endpoint, _ = add_endpoint(tenant.workspace, receiver.url, "teams")
    event = create_event(tenant, title="[a link](https://example.com)", level="error", detail="")
    create_webhook(tenant, endpoint, event=event)

    assert send_webhooks() == 1

    message = json.loads(receiver.received[0].body)
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    (title,) = card["body"][0]["inlines"]
    # A text run shows no Markdown.
    assert title == {
        "type": "TextRun",
        "text": "[a link](https://example.com)",
        "weight": "Bolder",
        "color": "Attention",
    }
    assert card["actions"][0]["url"] == f"{SITE}{event.path}"


def test_what_looks_like_a_secret_is_masked_in_every_format(
    receiver: Receiver, tenant: Tenant
) -> None:
    for each in ("standard", "slack", "teams"):
        endpoint, _ = add_endpoint(tenant.workspace, receiver.url, each)
        event = create_event(tenant, detail="The policy has password=hunter2-of-a-policy in it.")
        create_webhook(tenant, endpoint, event=event)

    assert send_webhooks() == 3

    for received in receiver.received:
        assert b"hunter2" not in received.body
        assert b"redacted" in received.body


@pytest.mark.parametrize("kind", [*EventKind, *SystemEventKind])
def test_every_kind_has_a_type_and_a_subject(kind: str, tenant: Tenant) -> None:
    event = create_event(tenant, kind=kind)

    body = json.loads(build_body(event, "standard"))

    assert body["type"] == type_of(kind)
    assert body["data"]["subject"]["type"].islower()


# --- receivers that fail --------------------------------------------------------------------------


def test_a_receiver_that_fails_gets_the_same_message_again(
    receiver: Receiver, webhook: NotificationDelivery, endpoint: WebhookEndpoint
) -> None:
    receiver.replies = [Reply(500, f"no route to /hooks?token={TOKEN}".encode())]

    assert send_webhooks() == 0
    webhook.refresh_from_db()
    assert webhook.answer.startswith("HTTP 500: no route to")
    # A receiver can repeat the address.
    assert TOKEN not in webhook.answer
    assert WebhookEndpoint.objects.get().failing_since is not None
    # It waits.
    assert send_webhooks() == 0
    assert len(receiver.received) == 1
    make_due()

    assert send_webhooks() == 1
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    webhook.refresh_from_db()
    assert (webhook.attempts, webhook.delivered_at is not None) == (2, True)
    stored = WebhookEndpoint.objects.get()
    assert (stored.failing_since, stored.retry_at) == (None, None)


def test_what_waits_for_an_endpoint_that_fails_is_not_tried_in_vain(
    receiver: Receiver, tenant: Tenant, endpoint: WebhookEndpoint
) -> None:
    other, _ = add_endpoint(tenant.workspace, receiver.url)
    for _ in range(3):
        create_webhook(tenant, endpoint)
    accepted = create_webhook(tenant, other)
    receiver.replies = [Reply(500)]

    assert send_webhooks() == 1

    attempts = NotificationDelivery.objects.order_by("pk").values_list("attempts", flat=True)
    assert list(attempts) == [1, 0, 0, 1]
    accepted.refresh_from_db()
    assert accepted.delivered_at is not None
    make_due()
    assert send_webhooks() == 3
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 4


def test_a_slow_endpoint_leaves_time_for_the_others(
    receiver: Receiver,
    tenant: Tenant,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "SLOW_SECONDS", 0)
    other, _ = add_endpoint(tenant.workspace, receiver.url)
    for each in (endpoint, endpoint, endpoint, other):
        create_webhook(tenant, each)

    assert send_webhooks() == 2

    sent = NotificationDelivery.objects.exclude(delivered_at=None).order_by("pk")
    assert [delivery.endpoint for delivery in sent] == [endpoint, other]
    assert [send_webhooks(), send_webhooks(), send_webhooks()] == [1, 1, 0]


def test_an_endpoint_waits_for_as_long_as_it_has_failed(
    receiver: Receiver, webhook: NotificationDelivery, endpoint: WebhookEndpoint
) -> None:
    for failing_for, expected in ((0, 1), (10, 10), (600, 60)):
        receiver.replies = [Reply(502)]
        make_due()
        fail_since(endpoint, dt.timedelta(minutes=failing_for))
        before = timezone.now()

        send_webhooks()

        retry_at = WebhookEndpoint.objects.get().retry_at
        assert retry_at is not None
        waits = (retry_at - before) / dt.timedelta(minutes=1)
        assert expected <= waits < expected + 1


@pytest.mark.parametrize(("asked_for", "minutes"), [("1200", 20), ("86400", 60), ("nonsense", 1)])
@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_says_when_to_come_back(
    receiver: Receiver, webhook: NotificationDelivery, status: int, asked_for: str, minutes: int
) -> None:
    receiver.replies = [Reply(status, headers=(("Retry-After", asked_for),))]
    before = timezone.now()

    send_webhooks()

    webhook.refresh_from_db()
    retry_at = WebhookEndpoint.objects.get().retry_at
    assert retry_at is not None
    for at in (webhook.due_at, retry_at):
        assert minutes <= (at - before) / dt.timedelta(minutes=1) < minutes + 1


def test_a_redirect_is_not_followed(receiver: Receiver, webhook: NotificationDelivery) -> None:
    receiver.replies = [Reply(307, headers=(("Location", f"{receiver.url}/other"),))]

    assert send_webhooks() == 0

    webhook.refresh_from_db()
    assert webhook.answer == "HTTP 307: redirects are not followed."
    assert [each.path for each in receiver.received] == [f"/hooks?token={TOKEN}"]


def test_a_long_response_is_cut(receiver: Receiver, webhook: NotificationDelivery) -> None:
    receiver.replies = [Reply(200, b"all is well " * 1_000_000)]

    assert send_webhooks() == 1

    webhook.refresh_from_db()
    assert len(webhook.answer) <= MAX_SHOWN + len("HTTP 200: ")


@pytest.mark.parametrize("behavior", ["silent", "hangs", "drips"])
def test_a_receiver_that_does_not_answer_in_time_is_given_up_for_now(
    receiver: Receiver,
    webhook: NotificationDelivery,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    behavior: str,
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.5)
    receiver.released.clear()
    if behavior == "silent":
        silent = socket.create_server(("127.0.0.1", 0))
        url = f"https://localhost:{silent.getsockname()[1]}/"
        endpoints.change_endpoint(endpoint, url=url)
    else:
        receiver.replies = [Reply(send=receiver.hang if behavior == "hangs" else receiver.drip)]

    assert send_webhooks() == 0
    webhook.refresh_from_db()
    receiver.released.set()
    assert webhook.answer == "The receiver did not answer in time."

    monkeypatch.undo()
    receiver.replies.clear()  # a busy machine may have given up before the request arrived
    if behavior == "silent":
        silent.close()
        endpoints.change_endpoint(endpoint, url=receiver.url)
    make_due()
    assert send_webhooks() == 1
    ids = {each.headers["webhook-id"] for each in receiver.received}
    assert len(ids) == 1


def test_a_receiver_that_is_down_gets_everything_when_it_returns(
    receiver: Receiver, tenant: Tenant, tmp_path: Path, settings: Settings
) -> None:
    down = Receiver(tmp_path, port=free_port())
    settings.WEBHOOK_CA_BUNDLE = str(down.ca)
    endpoint, _ = add_endpoint(tenant.workspace, down.url)
    down.close()
    events = [create_webhook(tenant, endpoint) for _ in range(3)]

    assert send_webhooks() == 0
    events[0].refresh_from_db()
    assert events[0].answer == "The receiver could not be reached."
    back = Receiver(tmp_path, port=down.port)
    make_due()

    assert send_webhooks() == 3
    back.close()
    ids = [each.headers["webhook-id"] for each in back.received]
    assert sorted(ids) == sorted(f"msg_{each.message_id.hex}" for each in events if each.message_id)


def test_a_certificate_that_is_not_trusted_is_refused(
    receiver: Receiver, webhook: NotificationDelivery, settings: Settings, endpoint: WebhookEndpoint
) -> None:
    settings.WEBHOOK_CA_BUNDLE = ""
    send_webhooks()
    webhook.refresh_from_db()
    assert webhook.answer == "The receiver has no valid certificate."

    # A valid certificate, of another name.
    settings.WEBHOOK_CA_BUNDLE = str(receiver.ca)
    endpoints.change_endpoint(endpoint, url=f"https://localtest:{receiver.port}/")
    make_due()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("notifications.addresses.socket.getaddrinfo", resolve_to_loopback(receiver))
        send_webhooks()

    webhook.refresh_from_db()
    assert webhook.answer == "The receiver has no valid certificate."
    assert receiver.received == []


def resolve_to_loopback(receiver: Receiver) -> Any:
    return lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", receiver.port))]


def test_a_process_that_dies_while_sending_sends_the_same_message_again(
    receiver: Receiver, webhook: NotificationDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "_record", die)
        with pytest.raises(SystemExit):
            send_webhooks()
    assert send_webhooks() == 0
    make_due()

    assert send_webhooks() == 1
    first, second = (each.headers["webhook-id"] for each in receiver.received)
    assert first == second


def test_a_secret_that_cannot_be_decrypted_is_a_failure(
    receiver: Receiver, webhook: NotificationDelivery, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = f"v2:{new_key()}"

    assert send_webhooks() == 0

    webhook.refresh_from_db()
    assert webhook.answer.startswith("The address or the secret cannot be decrypted.")
    assert receiver.received == []


def test_addresses_and_secrets_are_encrypted_with_the_new_key(
    receiver: Receiver, tenant: Tenant, settings: Settings
) -> None:
    endpoint, old = add_endpoint(tenant.workspace, receiver.url)
    new = endpoints.rotate_secret(endpoint, version=endpoints.secret_version(endpoint))
    key = f"v2:{new_key()}"

    settings.CREDENTIAL_KEYS = f"{key},{settings.CREDENTIAL_KEYS}"
    output = StringIO()
    call_command("rotate_credentials", stdout=output)
    settings.CREDENTIAL_KEYS = key
    create_webhook(tenant, endpoint)

    assert "encrypted again: 3" in output.getvalue()
    assert send_webhooks() == 1
    assert verified(new, receiver.received[0]) == verified(old, receiver.received[0])


# --- endpoints that are disabled or paused ----------------------------------------------------------


def test_an_endpoint_is_disabled_after_a_day_of_failures_only(
    receiver: Receiver, tenant: Tenant, owner: User, operator: User, endpoint: WebhookEndpoint
) -> None:
    first, waiting = create_webhook(tenant, endpoint), create_webhook(tenant, endpoint)
    receiver.replies = [Reply(500), Reply(500)]
    fail_since(endpoint, FAILING - dt.timedelta(minutes=1))
    send_webhooks()
    assert WebhookEndpoint.objects.filter(disabled_at=None).exists()

    make_due()
    fail_since(endpoint, FAILING)
    send_webhooks()

    endpoint.refresh_from_db()
    assert endpoint.disabled_at is not None
    first.refresh_from_db()
    waiting.refresh_from_db()
    assert (first.failed_at is not None, first.answer) == (True, "HTTP 500: ok")
    assert (waiting.failed_at is not None, waiting.answer) == (True, "The endpoint is disabled.")
    # Those who can repair it are notified once.
    notification = Notification.objects.get()
    assert (notification.user, notification.event.kind) == (owner, "endpoint_disabled")
    assert notification.event.path == endpoint.get_absolute_url()
    make_due()
    assert send_webhooks() == 0
    assert len(receiver.received) == 2


def test_a_success_ends_the_day_of_failures(
    receiver: Receiver, webhook: NotificationDelivery, endpoint: WebhookEndpoint
) -> None:
    fail_since(endpoint, FAILING)
    send_webhooks()

    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.disabled_at) == (None, None)


def test_a_receiver_that_is_gone_is_disabled_at_once(
    receiver: Receiver, webhook: NotificationDelivery, endpoint: WebhookEndpoint, owner: User
) -> None:
    receiver.replies = [Reply(410, b"")]

    send_webhooks()

    endpoint.refresh_from_db()
    webhook.refresh_from_db()
    assert endpoint.disabled_at is not None
    assert (webhook.answer, webhook.failed_at is not None) == ("HTTP 410", True)
    assert "HTTP 410" in Notification.objects.get().event.detail


def test_events_of_a_disabled_endpoint_are_recorded_and_can_be_sent_later(
    receiver: Receiver, tenant: Tenant, endpoint: WebhookEndpoint, settings: Settings
) -> None:
    settings.TICK_SECONDS = 0
    WebhookEndpoint.objects.update(disabled_at=Now())
    create_rule(tenant.workspace, endpoint=endpoint, in_app=False)
    fail_for(tenant)
    handle_events()
    settings.TICK_SECONDS = 60
    assert send_webhooks() == 0
    webhook = NotificationDelivery.objects.get()
    assert (webhook.answer, webhook.attempts) == ("The endpoint is disabled.", 0)

    with pytest.raises(ValidationError, match="Enable it first"):
        endpoints.send_again(webhook)
    endpoints.resume(endpoint)
    endpoints.send_again(webhook)

    assert send_webhooks() == 1
    assert json.loads(receiver.received[0].body)["type"] == "run.failed"


def test_deliveries_of_a_paused_endpoint_wait(
    receiver: Receiver, webhook: NotificationDelivery, endpoint: WebhookEndpoint
) -> None:
    endpoints.pause(endpoint)
    assert send_webhooks() == 0
    endpoints.resume(endpoint)

    assert send_webhooks() == 1


def test_a_delivery_is_given_up_after_a_day_of_attempts(
    receiver: Receiver, webhook: NotificationDelivery
) -> None:
    NotificationDelivery.objects.update(attempts=MAX_ATTEMPTS - 1)
    receiver.replies = [Reply(400)]

    send_webhooks()
    make_due()

    assert send_webhooks() == 0
    webhook.refresh_from_db()
    assert (webhook.attempts, webhook.failed_at is not None) == (MAX_ATTEMPTS, True)


def test_an_endpoint_that_is_deleted_while_it_answers_is_no_error(
    receiver: Receiver, webhook: NotificationDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = webhooks.post

    def delete_meanwhile(delivery: NotificationDelivery) -> Any:
        answer = post(delivery)
        WebhookEndpoint.objects.all().delete()
        NotificationDelivery.objects.all().delete()
        return answer

    monkeypatch.setattr(webhooks, "post", delete_meanwhile)

    assert send_webhooks() == 1
    assert not NotificationDelivery.objects.exists()


# --- rules, tests and sending again -----------------------------------------------------------------


def test_several_rules_send_an_event_to_an_endpoint_once(
    receiver: Receiver, tenant: Tenant, endpoint: WebhookEndpoint, settings: Settings
) -> None:
    settings.TICK_SECONDS = 0
    other = TenantFactory(workspace=tenant.workspace)
    create_rule(tenant.workspace, endpoint=endpoint, in_app=False)
    create_rule(tenant.workspace, endpoint=endpoint, tenant=tenant)
    create_rule(tenant.workspace, endpoint=endpoint, tenant=other)

    fail_for(tenant)
    handle_events()
    handle_events()
    settings.TICK_SECONDS = 60

    assert send_webhooks() == 1
    assert send_webhooks() == 0
    (event,) = NotificationEvent.objects.all()
    body = json.loads(receiver.received[0].body)
    assert body["data"]["subject"] == {"type": "run", "id": event.subject_id}


def test_a_test_is_sent_to_its_endpoint_only(
    receiver: Receiver, endpoint: WebhookEndpoint, owner: User
) -> None:
    add_endpoint(endpoint.workspace, receiver.url)

    endpoints.send_test(endpoint, by=owner)
    endpoints.send_test(endpoint, by=owner)

    assert send_webhooks() == 2
    body = json.loads(receiver.received[0].body)
    assert (body["type"], body["data"]["title"]) == ("test", "Test of Tickets.")
    assert body["data"]["url"] == f"{SITE}{endpoint.get_absolute_url()}"
    assert not Notification.objects.exists()


def test_an_event_that_is_sent_again_is_the_same_message(
    receiver: Receiver, webhook: NotificationDelivery
) -> None:
    with pytest.raises(ValidationError, match="still on its way"):
        endpoints.send_again(webhook)
    send_webhooks()
    endpoints.send_again(webhook)
    with pytest.raises(ValidationError, match="still on its way"):
        endpoints.send_again(webhook)
    send_webhooks()
    endpoints.send_again(webhook)

    assert send_webhooks() == 1
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    repetitions = NotificationDelivery.objects.order_by("pk").values_list("repetition", flat=True)
    assert list(repetitions) == [0, 1, 2]


def test_a_delivery_that_arrives_after_it_was_given_up_is_delivered(
    receiver: Receiver, webhook: NotificationDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = webhooks.post

    def give_up_meanwhile(delivery: NotificationDelivery) -> Any:
        NotificationDelivery.objects.update(failed_at=F("due_at"))
        return post(delivery)

    monkeypatch.setattr(webhooks, "post", give_up_meanwhile)

    assert send_webhooks() == 1
    webhook.refresh_from_db()
    assert (webhook.delivered_at is not None, webhook.failed_at) == (True, None)
