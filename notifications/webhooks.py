"""Sends webhooks: signed by the Standard Webhooks specification, or as messages of Slack and Teams.

As with emails, an attempt is recorded before it begins, and no transaction is open while the receiver
answers. A process that dies between the two sends the message again, with the same `webhook-id`, by
which receivers leave out what they already have.

An endpoint that fails gets one attempt, then waits: a minute, then for as long as it has failed, at
most an hour. So one that hangs delays the others little, and what waits for it is not tried in vain.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore2
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from standardwebhooks import Webhook

from notifications.addresses import CheckedBackend, ForbiddenAddress
from notifications.bodies import build_body
from notifications.delivering import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    ends_at,
    wait_after,
)
from notifications.endpoints import GIVEN_UP, disable, secrets_of
from notifications.models import NotificationDelivery, WebhookEndpoint
from providers.graph.http import USER_AGENT, is_certificate_failure, ssl_context
from redaction.text import sanitize_text
from tenancy.crypto import CredentialUnreadable
from tenancy.db import database_now
from web.retry_after import parse_retry_after

log = logging.getLogger(__name__)

#: The longest time of one attempt.
ATTEMPT_SECONDS = 10.0
#: An endpoint that takes longer gets one attempt in each tick, so that others get theirs.
SLOW_SECONDS = 1.0
#: An endpoint that has failed for so long is disabled.
FAILING = dt.timedelta(days=1)
#: As much of a response is read and shown; it helps to find the mistake in an address.
MAX_RESPONSE_BYTES = 4096
MAX_SHOWN = 150
#: Responses with which a receiver says when to come back.
WITH_RETRY_AFTER = (429, 503)
GONE = 410


@dataclass(frozen=True)
class Answer:
    """The answer to one attempt. `wait` is what the receiver asked for."""

    text: str
    is_accepted: bool = False
    is_gone: bool = False
    wait: dt.timedelta = dt.timedelta()


@dataclass(frozen=True)
class _Response:
    status: int
    headers: dict[str, str]
    body: bytes


def send_webhooks() -> int:
    """Send the webhooks that are due; return how many were accepted."""
    until = ends_at()
    _give_up_for_disabled_endpoints()
    sent = 0
    slow: set[int | None] = set()
    while (began := time.monotonic()) < until and (delivery := _begin_attempt(slow)):
        answer = post(delivery)
        _record(delivery, answer)
        sent += answer.is_accepted
        if time.monotonic() - began > SLOW_SECONDS:
            slow.add(delivery.endpoint_id)
    return sent


def _give_up_for_disabled_endpoints() -> None:
    """End what was recorded for endpoints that are disabled, so that a person can send it again."""
    NotificationDelivery.objects.filter(
        due_at__lte=Now(), delivered_at=None, failed_at=None, endpoint__disabled_at__isnull=False
    ).update(failed_at=Now(), answer=GIVEN_UP)


@transaction.atomic
def _begin_attempt(slow: set[int | None]) -> NotificationDelivery | None:
    """Record an attempt of the webhook that is due first; None if nothing is due.

    Endpoints that were slow in this tick are left out.
    """
    due = NotificationDelivery.objects.filter(
        Q(endpoint__retry_at=None) | Q(endpoint__retry_at__lte=Now()),
        due_at__lte=Now(),
        delivered_at=None,
        failed_at=None,
        endpoint__isnull=False,
        endpoint__paused_at=None,
        endpoint__disabled_at=None,
    )
    due = due.exclude(endpoint__in=slow).order_by("due_at", "pk")
    due = due.select_for_update(skip_locked=True, of=("self",))
    delivery = due.select_related("event__workspace", "event__tenant", "endpoint").first()
    if delivery is None:
        return None
    rows = NotificationDelivery.objects.filter(pk=delivery.pk)
    delivery.attempts += 1
    rows.update(
        attempts=F("attempts") + 1,
        attempted_at=Now(),
        due_at=Now() + wait_after(delivery.attempts),
    )
    return delivery


def post(delivery: NotificationDelivery) -> Answer:
    """Send one webhook, and return the answer in words."""
    endpoint = delivery.endpoint
    assert endpoint is not None
    body = build_body(delivery.event, endpoint.format)
    try:
        url = endpoint.decrypt(endpoint.encrypted_url, "url")
        headers = _headers(url, body)
        if secrets := secrets_of(endpoint):
            assert delivery.message_id is not None
            headers |= _signed_headers(delivery.message_id, secrets, body)
    except CredentialUnreadable:
        return Answer("The address or the secret cannot be decrypted. Enter the address again.")
    try:
        response = _send(url, headers, body)
    except ForbiddenAddress:
        return Answer(
            "The address is private or not encrypted. The installation does not allow it."
        )
    except httpcore2.TimeoutException:
        return Answer("The receiver did not answer in time.")
    except httpcore2.ConnectError as error:
        if is_certificate_failure(error):
            return Answer("The receiver has no valid certificate.")
        return Answer("The receiver could not be reached.")
    except (httpcore2.NetworkError, httpcore2.ProtocolError):
        return Answer("The receiver closed the connection without an answer.")
    return _judge(response)


def _headers(url: str, body: str) -> dict[str, str]:
    return {
        "Host": urlsplit(url).netloc,
        "User-Agent": USER_AGENT,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }


def _signed_headers(message_id: uuid.UUID, secrets: list[str], body: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each secret."""
    # The library signs the time on the clock of its zone, so this must be UTC.
    now = database_now().astimezone(dt.UTC)
    name = f"msg_{message_id.hex}"
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(name, now, body) for secret in secrets),
    }


def _send(url: str, headers: dict[str, str], body: str) -> _Response:
    """Send a request, and read the beginning of the response; redirects are not followed."""
    backend = CheckedBackend(encrypted=url.startswith("https:"), seconds=ATTEMPT_SECONDS)
    context = ssl_context(settings.WEBHOOK_CA_BUNDLE)
    received = b""
    with (
        httpcore2.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=body.encode()) as response,
    ):
        for chunk in response.iter_stream():
            received += chunk
            if len(received) >= MAX_RESPONSE_BYTES:
                break
        lines = {name.decode("latin-1").lower(): value for name, value in response.headers}
        texts = {name: value.decode("latin-1") for name, value in lines.items()}
        return _Response(response.status, texts, received[:MAX_RESPONSE_BYTES])


def _judge(response: _Response) -> Answer:
    status = response.status
    # What it says can contain what was sent to it.
    said = sanitize_text(response.body.decode(errors="replace"), MAX_SHOWN).strip()
    text = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if 200 <= status < 300:
        return Answer(text, is_accepted=True)
    if 300 <= status < 400:
        return Answer(f"HTTP {status}: redirects are not followed.")
    wait = dt.timedelta()
    if status in WITH_RETRY_AFTER:
        seconds = parse_retry_after(response.headers) or 0
        wait = min(dt.timedelta(seconds=seconds), LONGEST_WAIT)
    return Answer(text, is_gone=status == GONE, wait=wait)


@transaction.atomic
def _record(delivery: NotificationDelivery, answer: Answer) -> None:
    """Record the answer for the delivery and its endpoint."""
    assert delivery.endpoint_id is not None
    rows = NotificationDelivery.objects.filter(pk=delivery.pk, delivered_at=None)
    endpoints = WebhookEndpoint.objects.select_for_update(of=("self",))
    endpoint = endpoints.select_related("workspace").filter(pk=delivery.endpoint_id).first()
    if endpoint is None:
        # It was deleted, with its deliveries.
        return
    now = database_now()
    if answer.is_accepted:
        rows.update(delivered_at=now, failed_at=None, answer=answer.text)
        if endpoint.failing_since:
            endpoint.failing_since = endpoint.retry_at = None
            endpoint.save(update_fields=["failing_since", "retry_at"])
        return
    log.warning("webhook %s to %s: %s", delivery.pk, endpoint.host, answer.text)
    rows.update(answer=answer.text, due_at=now + max(wait_after(delivery.attempts), answer.wait))
    if delivery.attempts >= MAX_ATTEMPTS:
        rows.update(failed_at=now)
    endpoint.failing_since = endpoint.failing_since or now
    failing_for = now - endpoint.failing_since
    wait = min(max(failing_for, FIRST_WAIT), LONGEST_WAIT)
    endpoint.retry_at = now + max(wait, answer.wait)
    endpoint.save(update_fields=["failing_since", "retry_at"])
    if endpoint.disabled_at:
        return
    if answer.is_gone:
        disable(endpoint, "The receiver answered that it is gone (HTTP 410).")
    elif failing_for >= FAILING:
        disable(endpoint, "It failed for a day.")
