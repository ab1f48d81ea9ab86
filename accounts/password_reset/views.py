"""The pages of a user who has forgotten the password."""

from __future__ import annotations

from typing import Any

from allauth.account import signals
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy

from accounts.notifications import notify
from accounts.password_reset import services
from accounts.password_reset.forms import PasswordResetForm, ResetPasswordForm
from tenancy.http import form_page, render_checked
from tenancy.models import User


@form_page
@login_not_required
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for an email address; the answer is the same whether or not it has an account."""
    if not settings.LOCAL_PASSWORDS:
        raise Http404
    form = PasswordResetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        site = request.build_absolute_uri("/").rstrip("/")
        services.request_reset(form.cleaned_data["email"], site)
        messages.success(
            request,
            "If an account has this email address, it receives a link within a minute or two.",
        )
        return redirect("sign_in")
    context = {"form": form}
    return render_checked(request, "accounts/password_reset.html", context, errors=form.is_bound)


class PasswordResetConfirm(PasswordResetConfirmView):
    """Sets a new password with the link; every session of the user ends."""

    form_class = ResetPasswordForm
    success_url = reverse_lazy("sign_in")
    template_name = "accounts/password_reset_confirm.html"

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.LOCAL_PASSWORDS:
            raise Http404
        return super().dispatch(*args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user: User = form.user
        signals.password_reset.send(sender=User, request=self.request, user=user)
        notify(user, "The password was changed.")
        messages.success(self.request, "Your password has been changed. Sign in with it.")
        return response

    def render_to_response(self, context: dict[str, Any], **more: Any) -> HttpResponse:
        """Answer 404 for a link that is unknown, used or expired."""
        if not context["validlink"]:
            more["status"] = 404
        elif self.request.method == "POST":
            more["status"] = 400
        return super().render_to_response(context, **more)


password_reset_confirm = form_page(login_not_required(PasswordResetConfirm.as_view()))
