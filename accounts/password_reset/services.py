"""Requests and sends the links with which users set a new password."""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.password_reset.models import PasswordReset
from tenancy.models import User

log = logging.getLogger(__name__)

#: How many links an address gets in an hour, so that the page cannot flood a mailbox.
MAX_PER_HOUR = 3
#: How many requests wait while no tick runs; further ones are dropped.
MAX_WAITING = 1000
#: A mail server that is down for longer costs the user a new request.
RETRY = dt.timedelta(hours=1)
KEEP = dt.timedelta(days=1)


def request_reset(email: str, site: str) -> None:
    """Store a request, whether or not an account has the address; too many are dropped."""
    recent = Q(email__iexact=email, requested_at__gt=Now() - dt.timedelta(hours=1))
    waiting = PasswordReset.objects.filter(handled_at=None)[: MAX_WAITING + 1].count()
    if PasswordReset.objects.filter(recent).count() < MAX_PER_HOUR and waiting < MAX_WAITING:
        PasswordReset.objects.create(email=email, site=site)


def send_requested() -> None:
    """Send the links of the waiting requests, and delete old requests."""
    PasswordReset.objects.filter(requested_at__lt=Now() - KEEP).delete()
    waiting = PasswordReset.objects.filter(handled_at=None, requested_at__gt=Now() - RETRY)
    for reset_id in list(waiting.order_by("pk").values_list("pk", flat=True)[:100]):
        if not _handle(reset_id):
            return


@transaction.atomic
def _handle(reset_id: int) -> bool:
    """Send the links of one request; return False if the mail server does not accept them."""
    requests = PasswordReset.objects.select_for_update(skip_locked=True)
    reset = requests.filter(pk=reset_id, handled_at=None).first()
    if reset is None:
        return True
    for user in users_of(reset.email):
        try:
            _send(user, reset.site)
        except OSError:
            log.exception("the link for a password reset of %s was not sent", user)
            return False
    PasswordReset.objects.filter(pk=reset_id).update(handled_at=Now())
    return True


def users_of(email: str) -> list[User]:
    """Return the accounts with this address that have a password to reset."""
    if not settings.LOCAL_PASSWORDS:
        return []
    users = User.objects.filter(email__iexact=email, is_active=True).order_by("pk")
    return [user for user in users if user.has_usable_password()]


def _send(user: User, site: str) -> None:
    arguments = [
        urlsafe_base64_encode(force_bytes(user.pk)),
        default_token_generator.make_token(user),
    ]
    context = {
        "user": user,
        "link": site + reverse("password_reset_confirm", args=arguments),
        "minutes": settings.PASSWORD_RESET_TIMEOUT // 60,
    }
    text = render_to_string("accounts/password_reset.txt", context)
    EmailMessage("Reset your Runledger password", text, to=[user.email]).send()
    log.info("a link for a password reset was sent to %s", user)
