"""What happens when a user signs in."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_client_ip_address
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.clients import CLIENT_KEY, MAX_AGENT
from accounts.identity import remember_confirmation


@receiver(user_logged_in)
def remember_client(sender: Any, request: HttpRequest, **_: Any) -> None:
    """Store the address and browser of the sign-in in the session, for the list of sessions."""
    agent = request.headers.get("User-Agent", "")[:MAX_AGENT]
    address = str(get_client_ip_address(request) or "")
    request.session[CLIENT_KEY] = {"address": address, "agent": agent}
    remember_confirmation(request.session)
