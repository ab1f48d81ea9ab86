"""The forms for sign-in and for a new password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from tenancy.models import TIMEZONES, User

MAX_USERNAME = User._meta.get_field("username").max_length or 150  # noqa: SLF001 - Django's own API


class SignInForm(AuthenticationForm):
    """Django's sign-in form; it rejects a user name that is too long for any account.

    Django enforces the limit in the browser only, and the column of the attempt log is shorter.
    """

    def clean_username(self) -> str:
        name = str(self.cleaned_data["username"])
        if len(name) > MAX_USERNAME:
            raise ValidationError(f"Enter at most {MAX_USERNAME} characters.")
        return name


class NewPasswordForm(PasswordChangeForm):
    """The current password and a new one. Wrong current passwords lock the account like sign-ins."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["old_password"].label = "Current password"
        self.fields["new_password2"].label = "Repeat the new password"
        self.fields["new_password2"].help_text = ""

    def clean_old_password(self) -> str:
        """Check the password through the backends, so that its failures are counted."""
        password = str(self.cleaned_data["old_password"])
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=password) is None:
            raise forms.ValidationError("The current password is incorrect.")
        return password


class TimeZoneForm(forms.Form):
    """The time zone in which a user sees times."""

    timezone = forms.ChoiceField(
        label="Time zone",
        required=False,
        choices=[("", "That of the workspace"), *((name, name) for name in sorted(TIMEZONES))],
        help_text="The times of all pages and filters. Exports to CSV are in UTC.",
    )
