"""The forms of signing in, of tenants, and of a workspace."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from tenancy.models import TIMEZONES, Tenant, User, Workspace
from tenancy.roles import Role

MAX_USERNAME = User._meta.get_field("username").max_length or 150  # noqa: SLF001 - Django's own API


class SignInForm(AuthenticationForm):
    """Django's, but a name that no account can have is not even tried.

    Django gives the limit to the browser only; the log of attempts has a column that is shorter.
    """

    def clean_username(self) -> str:
        name = str(self.cleaned_data["username"])
        if len(name) > MAX_USERNAME:
            raise ValidationError("No account has a name that long.")
        return name


GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class GuidField(forms.UUIDField):
    """A GUID as Microsoft writes it; Python alone would take braces, URNs and no dashes as well."""

    default_error_messages = {"invalid": "A GUID looks like 1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10."}

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip().lower()
        if text and not GUID.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class TenantForm(forms.ModelForm[Tenant]):
    """A tenant's name and its id in Entra."""

    external_id = GuidField(
        label="Entra tenant id",
        help_text="In the Entra admin center under Overview: “Tenant ID”.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = Tenant
        fields = ("name", "external_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["external_id"].disabled = True
            self.fields["external_id"].help_text = (
                "Fixed: what was read of one tenant must never be taken for another's. "
                "If it is wrong, suspend this tenant and add the right one."
            )


class WorkspaceForm(forms.ModelForm[Workspace]):
    """What an owner may change of a workspace."""

    timezone = forms.ChoiceField(
        choices=[(name, name) for name in sorted(TIMEZONES)],
        label="Time zone",
        help_text="In which new schedules are planned, unless they say otherwise.",
    )

    class Meta:
        model = Workspace
        fields = ("name", "timezone", "restores_need_approval")
        labels = {"restores_need_approval": "A restore needs the approval of a second person"}


class RoleForm(forms.Form):
    """What a member is to be."""

    role = forms.ChoiceField(choices=Role.choices, label="Role", initial=Role.READER)


class MemberForm(RoleForm):
    """Who is to become a member, and as what."""

    field_order = ("login", "role")
    login = forms.CharField(
        label="Username or email",
        max_length=254,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
