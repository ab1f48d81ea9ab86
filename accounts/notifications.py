"""Messages about changes to how a user signs in, so that the user notices those of someone else."""

from __future__ import annotations

import logging

from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from tenancy.models import User

log = logging.getLogger(__name__)


def notify(user: User, event: str) -> None:
    """Send the user a message about an event, such as “A passkey was added.”

    A user without an address gets none, and a mail server that does not answer changes nothing.
    """
    if not user.email:
        return
    text = render_to_string("accounts/notification.txt", {"user": user, "event": event})
    try:
        EmailMessage(
            "The sign-in to your Runledger account has changed", text, to=[user.email]
        ).send()
    except OSError:
        log.exception("%s was not notified", user)
