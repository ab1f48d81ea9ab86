"""The page of a sign-in link."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.sign_in_links import services
from tenancy.http import form_page


@form_page
@login_not_required
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show whom the link signs in, and do so on confirmation: programs that preview links do not.

    The user's second factor is asked for as after a password.
    """
    if request.method == "POST":
        user = services.use_link(token)
        if user is not None:
            record_authentication(request, user, method="sign_in_link")
            response: HttpResponse = perform_login(request, Login(user=user))
            return response
    link = services.find_link(token)
    if link is None:
        return render(request, "accounts/sign_in_link_not_valid.html", status=404)
    return render(request, "accounts/sign_in_link.html", {"link": link})
