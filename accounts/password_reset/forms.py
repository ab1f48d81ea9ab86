"""The forms of a user who has forgotten the password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm


class PasswordResetForm(forms.Form):
    """The email address of an account."""

    email = forms.EmailField(
        label="Email",
        max_length=254,
        widget=forms.EmailInput(
            {"autocomplete": "email", "spellcheck": "false", "autofocus": True}
        ),
    )


class ResetPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """A new password, twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password2"].label = "Repeat the new password"
        self.fields["new_password2"].help_text = ""
