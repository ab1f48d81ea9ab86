"""Adds and changes the endpoints of webhooks, sends to them again, and disables those that fail."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import re
import secrets
import uuid
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Max, Q

from notifications.addresses import allowed_networks, is_allowed
from notifications.kinds import Level, SystemEventKind
from notifications.models import (
    Notification,
    NotificationDelivery,
    NotificationEvent,
    WebhookEndpoint,
)
from tenancy.db import database_now
from tenancy.models import User, Workspace

#: The endpoints of a workspace.
MAX_ENDPOINTS = 20
MAX_URL = 1000
#: How long the previous secret still signs after a rotation.
OVERLAP = dt.timedelta(days=1)
GIVEN_UP = "The endpoint is disabled."
_NAME_OF_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


def validate_url(url: str) -> None:
    """Check what can be known before the name is resolved, which each attempt does.

    Raises:
        ValidationError: it is no address of a webhook, or one that is not allowed.
    """
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise _bad_url("It must not contain a user name or password.")
    if parts.scheme == "http" and not allowed_networks():
        raise _bad_url("It must begin with https://.")
    try:
        is_forbidden = not is_allowed(parts.hostname or "", encrypted=parts.scheme == "https")
    except ValueError:
        # A name, not a number.
        return
    if is_forbidden:
        raise _bad_url("This address is private. The installation does not allow it.")


def _split(url: str) -> SplitResult:
    is_plain = len(url) <= MAX_URL and url.isascii() and url.isprintable()
    try:
        parts = urlsplit(url if is_plain and not set(url) & {" ", "\\"} else "")
        is_known = parts.scheme in ("http", "https") and parts.port != 0
        if "[" in parts.netloc or not _NAME_OF_HOST.fullmatch(parts.hostname or ""):
            ipaddress.IPv6Address(parts.hostname or "")
    except ValueError:
        is_known = False
    if not is_known:
        raise _bad_url("Enter an address such as https://hooks.example.com/runledger.")
    return parts


def _bad_url(text: str) -> ValidationError:
    return ValidationError({"url": text})


@transaction.atomic
def create_endpoint(endpoint: WebhookEndpoint, *, url: str) -> str:
    """Create an endpoint.

    Returns:
        Its secret, which is shown once; empty for formats without signatures.

    Raises:
        ValidationError: the address is not valid, the name is taken, or there are too many.
    """
    # The second of two requests at the same time sees the endpoint of the first.
    Workspace.objects.select_for_update().get(pk=endpoint.workspace_id)
    if WebhookEndpoint.objects.filter(workspace=endpoint.workspace).count() >= MAX_ENDPOINTS:
        raise ValidationError(f"There are already {MAX_ENDPOINTS} endpoints. Delete one first.")
    with connection.cursor() as cursor:
        # The encryption is bound to the id.
        cursor.execute("SELECT nextval(pg_get_serial_sequence('webhook_endpoints', 'id'))")
        (endpoint.pk,) = cursor.fetchone()
    _set_url(endpoint, url)
    secret = _new_secret() if endpoint.is_signed else ""
    if secret:
        endpoint.encrypted_secret = endpoint.encrypt(secret, "secret")
    endpoint.full_clean()
    endpoint.save(force_insert=True)
    return secret


@transaction.atomic
def change_endpoint(endpoint: WebhookEndpoint, *, url: str = "") -> None:
    """Change the name of an endpoint, and its address if there is a new one.

    Raises:
        ValidationError: the address is not valid, or the name is taken.
    """
    Workspace.objects.select_for_update().get(pk=endpoint.workspace_id)
    fields = ["name"]
    if url:
        _set_url(endpoint, url)
        endpoint.failing_since = endpoint.retry_at = None
        fields += ["host", "encrypted_url", "failing_since", "retry_at"]
    endpoint.full_clean()
    endpoint.save(update_fields=fields)


def _set_url(endpoint: WebhookEndpoint, url: str) -> None:
    validate_url(url)
    endpoint.host = urlsplit(url).netloc
    endpoint.encrypted_url = endpoint.encrypt(url, "url")


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def secret_version(endpoint: WebhookEndpoint) -> str:
    """Return what is another text after each rotation, and says nothing about the secret."""
    return hashlib.sha256(endpoint.encrypted_secret.encode()).hexdigest()[:16]


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, version: str) -> str:
    """Create a new secret and return it; for `OVERLAP` the previous one signs as well.

    `version` is the `secret_version` that is replaced: a form that is posted twice rotates once, or
    the secret that the receiver has would not sign any more.

    Raises:
        ValidationError: the format has no signatures, or the secret has another version.
    """
    locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if not locked.is_signed:
        raise ValidationError("Only the webhooks of the standard format are signed.")
    if secret_version(locked) != version:
        raise ValidationError("The secret was rotated in the meantime. Nothing was changed.")
    secret = _new_secret()
    locked.encrypted_previous_secret = locked.encrypted_secret
    locked.previous_until = database_now() + OVERLAP
    locked.encrypted_secret = locked.encrypt(secret, "secret")
    locked.save(update_fields=["encrypted_secret", "encrypted_previous_secret", "previous_until"])
    return secret


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets that sign now, the newest first; none for formats without signatures.

    Raises:
        CredentialUnreadable: one cannot be decrypted.
    """
    if not endpoint.is_signed:
        return []
    envelopes = [endpoint.encrypted_secret]
    if endpoint.previous_until and endpoint.previous_until > database_now():
        envelopes.append(endpoint.encrypted_previous_secret)
    return [endpoint.decrypt(envelope, "secret") for envelope in envelopes]


def pause(endpoint: WebhookEndpoint) -> bool:
    """Stop sending; deliveries wait. Return whether this call did it."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, paused_at=None)
    return bool(rows.update(paused_at=database_now()))


def resume(endpoint: WebhookEndpoint) -> bool:
    """Send again, after a pause also what waited; what was given up can be sent one by one.

    Returns:
        Whether the endpoint was paused or disabled until this call.
    """
    stopped = Q(paused_at__isnull=False) | Q(disabled_at__isnull=False)
    rows = WebhookEndpoint.objects.filter(stopped, pk=endpoint.pk)
    return bool(rows.update(paused_at=None, disabled_at=None, failing_since=None, retry_at=None))


def delete_endpoint(endpoint: WebhookEndpoint) -> None:
    """Delete an endpoint with its deliveries.

    Raises:
        ValidationError: a rule sends to it.
    """
    if endpoint.rules.exists():
        raise ValidationError("A rule sends to this endpoint. Change or delete the rule first.")
    endpoint.delete()


@transaction.atomic
def send_test(endpoint: WebhookEndpoint, *, by: User) -> None:
    """Send a test event to the endpoint with the next tick.

    Raises:
        ValidationError: the endpoint is paused or disabled.
    """
    _require_sending(endpoint)
    now = database_now()
    event = NotificationEvent.objects.create(
        workspace=endpoint.workspace,
        kind=SystemEventKind.TEST,
        subject_id=endpoint.pk,
        key=f"{endpoint.pk}:{uuid.uuid4()}",
        handled_at=now,
        level=Level.INFO,
        title=f"Test of {endpoint.name}.",
        detail=f"Requested by {by.username}.",
        path=endpoint.get_absolute_url(),
    )
    NotificationDelivery.objects.create(
        workspace=endpoint.workspace,
        event=event,
        endpoint=endpoint,
        due_at=now,
        message_id=uuid.uuid4(),
    )


@transaction.atomic
def send_again(delivery: NotificationDelivery) -> None:
    """Send what has ended to the same endpoint once more: the same message, another delivery.

    Raises:
        ValidationError: it is still on its way, or the endpoint is paused or disabled.
    """
    assert delivery.endpoint_id is not None
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=delivery.endpoint_id)
    _require_sending(endpoint)
    alike = NotificationDelivery.objects.filter(event=delivery.event_id, endpoint=endpoint)
    if alike.filter(delivered_at=None, failed_at=None).exists():
        raise ValidationError("This event is still on its way to this endpoint.")
    NotificationDelivery.objects.create(
        workspace_id=delivery.workspace_id,
        event_id=delivery.event_id,
        endpoint=endpoint,
        repetition=alike.aggregate(last=Max("repetition"))["last"] + 1,
        message_id=delivery.message_id,
        due_at=database_now(),
    )


def _require_sending(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at:
        raise ValidationError("The endpoint is disabled. Enable it first.")
    if endpoint.paused_at:
        raise ValidationError("The endpoint is paused. Resume it first.")


def disable(endpoint: WebhookEndpoint, reason: str) -> None:
    """Disable a locked endpoint, give up what is on its way, and notify those who can repair it."""
    now = database_now()
    endpoint.disabled_at = now
    endpoint.save(update_fields=["disabled_at"])
    on_their_way = endpoint.deliveries.filter(delivered_at=None, failed_at=None)
    on_their_way.filter(attempts=0).update(answer=GIVEN_UP)
    on_their_way.update(failed_at=now)
    event = NotificationEvent.objects.create(
        workspace=endpoint.workspace,
        kind=SystemEventKind.ENDPOINT_DISABLED,
        subject_id=endpoint.pk,
        key=f"{endpoint.pk}:{now.timestamp():.6f}",
        handled_at=now,
        level=Level.ERROR,
        title=f"The webhook endpoint {endpoint.name} is disabled.",
        detail=f"{reason} Events are not sent to it any more. Correct it, then enable it again.",
        path=endpoint.get_absolute_url(),
    )
    Notification.objects.bulk_create(
        Notification(workspace=endpoint.workspace, user_id=owner.user_id, event=event)
        for owner in endpoint.workspace.active_owners()
    )
