"""How django-allauth works in this product: addresses, redirects and texts are ours."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from axes.helpers import get_client_ip_address
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up is closed: accounts are created by administrators, owners and identity providers."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Redirect only within this site; allauth also allows every other host of the settings."""
        hosts = {self.request.get_host()}
        return url.isprintable() and url_has_allowed_host_and_scheme(
            url, hosts, self.request.is_secure()
        )

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that lockouts use too."""
        return str(get_client_ip_address(request) or "")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/account/"

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        messages.error(request, "This account is disabled. Contact your administrator.")
        return redirect("sign_in")
