"""Sign-in with a second factor or a passkey, and the second factors of the signed-in user."""

from __future__ import annotations

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from accounts.notifications import notify
from accounts.second_factor import passkeys, services, totp
from accounts.second_factor.forms import AppForm, CodeForm, PasskeyForm
from accounts.second_factor.passkeys import PasskeyRefused
from accounts.second_factor.services import CodeKind, CodeRefused
from tenancy.http import (
    Request,
    action,
    form_page,
    page,
    recent_sign_in_required,
    render_checked,
)
from tenancy.models import User
from web.ids import parse_id

#: The session keeps the secret of a new app until its first code proves it.
NEW_APP_KEY = "new_app"
WRONG_CODE = "The code is wrong or has already been used."
LOCKED = "Too many wrong codes. Try again in 15 minutes, or use a passkey."
PASSKEY_REFUSED = "The passkey was not accepted. Try again."


@sensitive_post_parameters()
@form_page
@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="sign_in")  # type: ignore[untyped-decorator]
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor after the password."""
    stage = request._login_stage  # type: ignore[attr-defined]  # noqa: SLF001 - allauth's decorator sets it
    user: User = stage.login.user
    form = CodeForm(request.POST if "code" in request.POST else None)
    if request.method == "POST" and _is_second_factor(request, form, user):
        response: HttpResponse = stage.exit()
        return response
    has_passkey = user_has(user, Authenticator.Type.WEBAUTHN)
    context = {
        "form": form,
        "has_app": user_has(user, Authenticator.Type.TOTP),
        "request_options": passkeys.request_options(user) if has_passkey else None,
    }
    return render_checked(
        request, "accounts/second_factor.html", context, errors=request.method == "POST"
    )


@sensitive_post_parameters()
@form_page
@login_not_required
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """Return the challenge for any passkey as JSON, and sign in the user whose passkey answers it."""
    if request.method != "POST":
        return JsonResponse(passkeys.request_options())
    try:
        passkey = passkeys.verify(request.POST.get("credential", ""))
    except PasskeyRefused:
        messages.error(request, PASSKEY_REFUSED)
        return redirect("sign_in")
    record_authentication(
        request, passkey.user, "mfa", type=Authenticator.Type.WEBAUTHN.value, passwordless=True
    )
    response: HttpResponse = perform_login(request, Login(user=passkey.user))
    return response


@sensitive_post_parameters()
@recent_sign_in_required
@form_page
def app_add(request: Request) -> HttpResponse:
    """Add an authenticator app, which replaces the previous one."""
    form = AppForm(request.POST or None)
    secret = request.session.get(NEW_APP_KEY)
    if request.method == "POST" and secret and form.is_valid():
        try:
            services.add_app(request.user, secret, form.cleaned_data["code"])
        except CodeRefused as error:
            form.add_error("code", LOCKED if error.locked else WRONG_CODE)
        else:
            del request.session[NEW_APP_KEY]
            notify(request.user, "An authenticator app was added.")
            messages.success(request, "Authenticator app added.")
            return _after_adding(request)
    if not secret:
        secret = request.session[NEW_APP_KEY] = totp.new_secret()
    address = totp.app_address(secret, request.user.get_username())
    context = {"form": form, "secret": secret, "qr_code": totp.qr_code(address)}
    return render_checked(request, "accounts/app_add.html", context, errors=form.is_bound)


@sensitive_post_parameters()
@recent_sign_in_required
@form_page
def passkey_add(request: Request) -> HttpResponse:
    """Add a passkey."""
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name, response = form.cleaned_data["name"], request.POST.get("credential", "")
        try:
            passkeys.add(request.user, name, response)
        except PasskeyRefused:
            form.add_error(None, "The passkey was not added. Try again with another one.")
        else:
            notify(request.user, f"The passkey “{name}” was added.")
            messages.success(request, f"Passkey “{name}” added.")
            return _after_adding(request)
    context = {"form": form, "creation_options": passkeys.creation_options(request.user)}
    return render_checked(request, "accounts/passkey_add.html", context, errors=form.is_bound)


@recent_sign_in_required
@action("account")
def factor_remove(request: Request) -> HttpResponse:
    """Remove the authenticator app or a passkey of the user."""
    pk = parse_id(request.POST.get("factor", ""))
    factor = services.second_factors(request.user).filter(pk=pk).first()
    if factor is None:
        messages.info(request, "That second factor had already been removed.")
        return redirect("account")
    services.remove_factor(request.user, factor)
    notify(request.user, "A second factor was removed.")
    messages.success(request, "Second factor removed.")
    return redirect("account")


@recent_sign_in_required
@action("account")
def recovery_codes_create(request: Request) -> HttpResponse:
    """Replace the recovery codes, and show the new ones once."""
    if not services.has_second_factor(request.user):
        messages.error(request, "Add an authenticator app or a passkey first.")
        return redirect("account")
    notify(request.user, "New recovery codes replaced the previous ones.")
    return _show_recovery_codes(request)


@page
def second_factor_required(request: Request) -> HttpResponse:
    """Explain that this account needs a second factor, and lead to the pages that add one."""
    return render(request, "accounts/second_factor_required.html")


def user_has(user: User, kind: str) -> bool:
    """Return whether the user has a second factor of this type."""
    return services.second_factors(user).filter(type=kind).exists()


def _is_second_factor(request: HttpRequest, form: CodeForm, user: User) -> bool:
    """Check the posted code or passkey; a refusal becomes an error of the form."""
    kind: str = Authenticator.Type.WEBAUTHN
    try:
        if not form.is_bound:
            passkeys.verify(request.POST.get("credential", ""), user)
        elif form.is_valid():
            kind = services.use_code(user, form.cleaned_data["code"])
        else:
            return False
    except CodeRefused as error:
        form.add_error("code", LOCKED if error.locked else WRONG_CODE)
        return False
    except PasskeyRefused:
        messages.error(request, PASSKEY_REFUSED)
        return False
    record_authentication(request, user, "mfa", type=str(kind))
    if kind == CodeKind.RECOVERY:
        left = services.unused_recovery_codes(user)
        notify(user, f"A recovery code was used to sign in. {left} are left.")
        messages.warning(request, f"You used a recovery code. {left} are left.")
    return True


def _after_adding(request: Request) -> HttpResponse:
    """Show recovery codes after the first second factor, else the account."""
    if services.unused_recovery_codes(request.user):
        return redirect("account")
    return _show_recovery_codes(request)


def _show_recovery_codes(request: Request) -> HttpResponse:
    codes = services.new_recovery_codes(request.user)
    return render(request, "accounts/recovery_codes.html", {"codes": codes})
