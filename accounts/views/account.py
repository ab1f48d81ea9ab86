"""The account of the signed-in user: password, identities and sessions."""

from __future__ import annotations

from allauth.account.internal.flows.password_change import finalize_password_change
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts import services
from accounts.clients import open_sessions
from accounts.forms import NewPasswordForm, TimeZoneForm
from accounts.identity_providers import identity_providers
from accounts.notifications import notify
from accounts.second_factor.services import second_factors, unused_recovery_codes
from tenancy.http import Request, action, form_page, page, render_checked
from tenancy.models import User


@page
def account(request: Request) -> HttpResponse:
    """Show how the user signs in, and the sessions of the user."""
    return _account_page(request, TimeZoneForm(initial={"timezone": request.user.timezone}))


@action("account")
def account_time_zone(request: Request) -> HttpResponse:
    """Set the time zone in which the user sees times."""
    form = TimeZoneForm(request.POST)
    if not form.is_valid():
        return _account_page(request, form)
    User.objects.filter(pk=request.user.pk).update(timezone=form.cleaned_data["timezone"])
    messages.success(request, "Time zone saved.")
    return redirect("account")


@action("account")
def account_shortcuts(request: Request) -> HttpResponse:
    """Switch the keyboard shortcuts of the user on or off."""
    is_on = request.POST.get("shortcuts") == "on"
    User.objects.filter(pk=request.user.pk).update(keyboard_shortcuts=is_on)
    messages.success(request, f"Keyboard shortcuts are {'on' if is_on else 'off'}.")
    return redirect("account")


def _account_page(request: Request, time_zone_form: TimeZoneForm) -> HttpResponse:
    context = {
        "time_zone_form": time_zone_form,
        "has_password": services.has_local_password(request.user),
        "identities": SocialAccount.objects.filter(user=request.user).order_by("pk"),
        "providers": identity_providers(),
        "factors": second_factors(request.user),
        "recovery_codes_left": unused_recovery_codes(request.user),
        "sessions": open_sessions(request.user, request.session.session_key),
        "idle_minutes": settings.SESSION_IDLE_SECONDS // 60,
    }
    errors = time_zone_form.errors
    return render_checked(request, "accounts/account.html", context, errors=errors)


@sensitive_post_parameters()
@form_page
def password_change(request: Request) -> HttpResponse:
    """Change the password; the other sessions of the user end."""
    if not services.has_local_password(request.user):
        raise Http404
    form = NewPasswordForm(request, request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        finalize_password_change(request, request.user)
        notify(request.user, "The password was changed.")
        return redirect("account")
    context = {
        "title": "Change password",
        "form": form,
        "action": "Change password",
        "back": reverse("account"),
        "back_title": "Account",
    }
    return render_checked(request, "form_page.html", context, errors=form.is_bound)


@action("account")
def session_end(request: Request) -> HttpResponse:
    """End one session of the user."""
    if services.end_session(request.user, request.POST.get("session", "")):
        messages.success(request, "The session has ended.")
    else:
        messages.info(request, "That session had already ended.")
    return redirect("account")


@action("account")
def sign_out_everywhere(request: Request) -> HttpResponse:
    """End every session of the user, this one too."""
    services.end_sessions(request.user)
    logout(request)
    messages.success(request, "You are signed out on all devices.")
    return redirect("sign_in")
