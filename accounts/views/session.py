"""Sign-in and sign-out."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse

from accounts.forms import SignInForm
from accounts.identity_providers import identity_providers
from tenancy.http import action


class SignIn(LoginView):
    """Checks the password, then hands over to allauth, which asks for further factors."""

    authentication_form = SignInForm
    redirect_authenticated_user = True
    template_name = "accounts/sign_in.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "providers": identity_providers(),
            "local_passwords": settings.LOCAL_PASSWORDS,
        }

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        login = Login(user=user, redirect_url=self.get_success_url())
        credentials = {"username": user.get_username()}
        response: HttpResponse = perform_password_login(self.request, credentials, login)
        return response


sign_in = SignIn.as_view()


class SignOut(LogoutView):
    """Ends the session and confirms it on the sign-in page."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, "You are signed out.")
        return response


sign_out = action("home")(SignOut.as_view())
