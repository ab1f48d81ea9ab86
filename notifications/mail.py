"""Sends the deliveries by email: everything that is due for a user is one message.

An attempt is recorded before it begins, and its end afterwards, so that no transaction is open while
the mail server answers. A process that dies between the two sends the message again, with the same
Message-ID.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse

from notifications.answers import ABOUT_THE_MESSAGE, describe_mail_error
from notifications.delivering import MAX_ATTEMPTS, ends_at, wait_after
from notifications.models import Frequency, NotificationDelivery, NotificationSettings
from notifications.unsubscribing import unsubscribe_token
from tenancy.models import User
from tenancy.times import display_zone, exact_text

log = logging.getLogger(__name__)

#: Events in one message; the others are in the next.
MAX_EVENTS = 100


@dataclass(frozen=True)
class _Message:
    """The deliveries of one message, which an attempt has begun to send."""

    message_id: uuid.UUID
    user: User
    deliveries: list[NotificationDelivery]

    @property
    def ids(self) -> list[int]:
        return [delivery.pk for delivery in self.deliveries]


def send_emails() -> int:
    """Send the messages that are due; return how many were accepted.

    It stops after a part of the time between two ticks, and at a mail server that does not work.
    """
    until = ends_at()
    sent = 0
    connection: Any = None
    try:
        while time.monotonic() < until and (message := _begin_attempt()):
            connection = connection or get_connection()
            try:
                connection.open()
                _build(message, connection).send()
            except Exception as error:  # noqa: BLE001 - each backend has its own errors
                _record_failure(message, error)
                if not isinstance(error, ABOUT_THE_MESSAGE):
                    break
            else:
                _record_success(message)
                sent += 1
    finally:
        if connection:
            connection.close()
    return sent


@transaction.atomic
def _begin_attempt() -> _Message | None:
    """Record an attempt of the message that is due first; None if nothing is due."""
    while True:
        due = NotificationDelivery.objects.filter(
            user__isnull=False, due_at__lte=Now(), delivered_at=None, failed_at=None
        )
        due = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "pk")
        first = due.first()
        if first is None:
            return None
        alike = due.filter(user=first.user_id, message_id=first.message_id)
        deliveries = list(alike.select_related("event", "user", "workspace")[:MAX_EVENTS])
        user = deliveries[0].user
        assert user is not None
        rows = NotificationDelivery.objects.filter(pk__in=[each.pk for each in deliveries])
        if not _wants_email(user):
            rows.update(failed_at=Now(), answer="The member gets no email any more.")
            continue
        message_id = first.message_id or uuid.uuid4()
        rows.update(
            message_id=message_id,
            attempts=F("attempts") + 1,
            attempted_at=Now(),
            due_at=Now() + wait_after(first.attempts + 1),
        )
        return _Message(message_id, user, deliveries)


def send_again(delivery: NotificationDelivery) -> None:
    """Send an email that was given up once more: the same message, with everything that it contains.

    A mail program shows a message with the same Message-ID once, so no part of it is sent alone. After
    a day of attempts it gets one more; what has arrived is never sent again.

    Raises:
        ValidationError: it was not given up, or the member gets no email.
    """
    assert delivery.user is not None
    if not _wants_email(delivery.user):
        raise ValidationError("This member gets no email. Check the address and the settings.")
    alike = NotificationDelivery.objects.filter(pk=delivery.pk)
    if delivery.message_id:
        alike = NotificationDelivery.objects.filter(
            user=delivery.user_id, message_id=delivery.message_id
        )
    given_up = alike.filter(failed_at__isnull=False, delivered_at=None)
    if not given_up.update(failed_at=None, due_at=Now()):
        raise ValidationError("This email has arrived or is on its way. Reload the list.")


def _wants_email(user: User) -> bool:
    is_off = NotificationSettings.objects.filter(user=user, frequency=Frequency.OFF)
    return bool(user.is_active and user.email) and not is_off.exists()


def _record_success(message: _Message) -> None:
    NotificationDelivery.objects.filter(pk__in=message.ids, delivered_at=None).update(
        delivered_at=Now(), answer="The mail server accepted the message."
    )


def _record_failure(message: _Message, error: Exception) -> None:
    """Record the answer, and give up after a day of attempts."""
    answer = describe_mail_error(error)
    log.warning("the message %s was not sent: %s", message.message_id, answer)
    rows = NotificationDelivery.objects.filter(pk__in=message.ids, delivered_at=None)
    rows.update(answer=answer)
    rows.filter(attempts__gte=MAX_ATTEMPTS).update(failed_at=Now())


def _build(message: _Message, connection: Any) -> EmailMultiAlternatives:
    """Build the message: a text and an HTML part, and what mail programs need to unsubscribe."""
    entries = [
        {
            "event": delivery.event,
            "workspace": delivery.workspace,
            "at": exact_text(
                delivery.event.created_at, display_zone(message.user, delivery.workspace)
            ),
            "url": f"{settings.SITE_URL}{delivery.event.path}" if settings.SITE_URL else "",
        }
        for delivery in message.deliveries
    ]
    unsubscribe = ""
    if settings.SITE_URL:
        token = unsubscribe_token(message.user)
        unsubscribe = settings.SITE_URL + reverse("notification_unsubscribe", args=[token])
    first = message.deliveries[0].event.title
    subject = first if len(entries) == 1 else f"{len(entries)} notifications: {first}"
    context = {"user": message.user, "entries": entries, "unsubscribe": unsubscribe}
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message.message_id}@{domain}>", "Auto-Submitted": "auto-generated"}
    if unsubscribe:
        headers |= {
            "List-Unsubscribe": f"<{unsubscribe}>",
            # RFC 8058: a mail program unsubscribes with one request, without a further question.
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    mail = EmailMultiAlternatives(
        # A line break would be a second header, which Django refuses.
        " ".join(f"[Runledger] {subject}".split())[:200],
        render_to_string("notifications/email.txt", context),
        to=[message.user.email],
        headers=headers,
        connection=connection,
    )
    mail.attach_alternative(render_to_string("notifications/email.html", context), "text/html")
    return mail
