"""The forms that invite a member, and that create the account of an invited user."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm

from tenancy.forms import RoleForm
from tenancy.models import User


class InvitationForm(RoleForm):
    """The address and the role of a new member."""

    field_order = ("email", "role")
    email = forms.EmailField(
        label="Email",
        max_length=254,
        help_text="Runledger sends a link to this address. It can be used once.",
        widget=forms.EmailInput({"autocomplete": "off", "spellcheck": "false"}),
    )


class NewAccountForm(UserCreationForm[User]):
    """The user name and the password of a new account."""

    class Meta:
        model = User
        fields = ("username",)
        labels = {"username": "User name"}
        help_texts = {"username": "Letters, digits and @ . + - _"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "password1"
        ].help_text = "At least 8 characters. Common passwords and your user name are refused."
        self.fields["password2"].label = "Repeat the password"
        self.fields["password2"].help_text = ""
