"""The message that contains the link of an invitation."""

from __future__ import annotations

import logging

from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.invitations.models import Invitation
from accounts.invitations.services import mark_sent

log = logging.getLogger(__name__)


def send(request: HttpRequest, invitation: Invitation, token: str) -> bool:
    """Send the link to the invited address.

    Returns:
        Whether the mail server accepted the message.
    """
    link = request.build_absolute_uri(reverse("invitation_open", args=[token]))
    text = render_to_string("accounts/invitation.txt", {"invitation": invitation, "link": link})
    # A line break in the name would be a second header, which Django refuses.
    subject = " ".join(f"Invitation to {invitation.workspace.name} in Runledger".split())
    try:
        EmailMessage(subject, text, to=[invitation.email]).send()
    except OSError:
        log.exception("the invitation %s was not sent", invitation.pk)
        return False
    mark_sent(invitation)
    return True
