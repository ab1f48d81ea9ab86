"""Sign-in with an identity provider, and the identities of an account."""

from __future__ import annotations

from typing import cast

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render

from accounts import services
from accounts.identity import ask_to_confirm, connected_providers, is_confirmed
from accounts.identity_providers import find_provider
from accounts.provider import CONFIRM, OidcAdapter, OidcCallbackView, ProviderUnavailable
from accounts.sign_in_errors import render_sign_in_error
from tenancy.http import Request, action, page, recent_sign_in_required


@action("sign_in")
@login_not_required
def identity_start(request: HttpRequest) -> HttpResponse:
    """Send the browser to an identity provider, to sign in or to connect the identity."""
    provider_id = request.POST.get("provider", "")
    if find_provider(provider_id) is None:
        raise Http404
    process = AuthProcess.LOGIN
    if request.user.is_authenticated:
        process = AuthProcess.CONNECT
        # Otherwise an unattended browser would be enough to add a way to sign in.
        if not is_confirmed(request.session):
            question = ask_to_confirm(cast("Request", request))
            if question is not None:
                return question
    return _send_to_provider(request, provider_id, process)


@action("account")
def identity_confirm(request: Request) -> HttpResponse:
    """Send the browser to an identity provider of the user, to confirm who that is."""
    provider_id = request.POST.get("provider", "")
    if provider_id not in {provider.id for provider in connected_providers(request.user)}:
        messages.error(request, "You have not connected an identity of this provider.")
        return redirect("account")
    return _send_to_provider(request, provider_id, CONFIRM)


def _send_to_provider(request: HttpRequest, provider_id: str, process: str) -> HttpResponse:
    """Return a page that redirects: the policy of our forms allows no redirect to other sites."""
    provider = get_adapter().get_provider(request, provider_id)
    next_url = provider.get_redirect_from_request_kwargs(request).get("next_url")
    try:
        response = provider.redirect(request, process, next_url)
    except ProviderUnavailable as error:
        return render_sign_in_error(request, provider, error)
    assert isinstance(response, HttpResponseRedirect)
    context = {"provider": provider, "address": response.url}
    return render(request, "accounts/identity_start.html", context)


@page
@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Complete a sign-in at the provider."""
    if find_provider(provider_id) is None:
        raise Http404
    adapter = OidcAdapter(request, provider_id)
    try:
        response: HttpResponse = OidcCallbackView.adapter_view(adapter)(request)
    except ProviderUnavailable as error:
        return render_sign_in_error(request, adapter.get_provider(), error)
    except IntegrityError:
        # The identity was connected, or its user name taken, by a request at the same time.
        messages.error(request, "Another sign-in was completed at the same time. Try again.")
        return redirect("account")
    return response


@recent_sign_in_required
@action("account")
def identity_disconnect(request: Request) -> HttpResponse:
    """Remove an identity from the account of the user."""
    if services.disconnect_identity(request.user, request.POST.get("identity", "")):
        messages.success(request, "The identity is disconnected.")
    else:
        messages.error(
            request, "This identity can't be disconnected: it is your only way to sign in."
        )
    return redirect("account")
