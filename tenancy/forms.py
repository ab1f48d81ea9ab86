"""The forms for tenants, members and workspace settings."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from tenancy.models import TIMEZONES, Tenant, User, Workspace
from tenancy.roles import Role
from tenancy.services import MAX_REASON, REASON_NEEDED, clean_reason

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class GuidField(forms.UUIDField):
    """A GUID in Microsoft's notation; Python also accepts braces, URNs and missing hyphens."""

    default_error_messages = {
        "invalid": "Enter a GUID, such as 1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10."
    }

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip().lower()
        if text and not GUID.fullmatch(text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class ReasonForm(forms.Form):
    """The reason of a change, which the history keeps (`components/reason.html`)."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        error_messages={"required": REASON_NEEDED, "max_length": REASON_NEEDED},
        widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
    )

    def clean_reason(self) -> str:
        return clean_reason(self.cleaned_data["reason"])


class TenantForm(forms.ModelForm[Tenant]):
    """A tenant's name and its id in Microsoft Entra."""

    external_id = GuidField(
        label="Entra tenant ID",
        help_text="See “Tenant ID” on the overview page of the Microsoft Entra admin center.",
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
                "The ID can't be changed because existing data belongs to this tenant. "
                "If it is wrong, suspend this tenant and add a new one."
            )


class TimeZoneForm(forms.ModelForm[Workspace]):
    """A form of a workspace with its time zone."""

    timezone = forms.ChoiceField(
        choices=[(name, name) for name in sorted(TIMEZONES)],
        label="Time zone",
        help_text="The default time zone of new schedules.",
    )


class NewWorkspaceForm(TimeZoneForm):
    """A new workspace."""

    class Meta:
        model = Workspace
        fields = ("name", "slug", "timezone")
        labels = {"slug": "Name in addresses"}
        help_texts = {"slug": "Lowercase letters, digits and hyphens. It can't be changed later."}
        error_messages = {"slug": {"unique": "Another workspace has this name in addresses."}}

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()


class WorkspaceForm(TimeZoneForm):
    """The settings of a workspace."""

    class Meta:
        model = Workspace
        fields = ("name", "timezone", "restores_need_approval", "requires_second_factor")
        labels = {
            "restores_need_approval": "Require approval of restores by a second person",
            "requires_second_factor": "Require a second factor of every member",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Switching it off takes a request and another owner (`tenancy.approval_off`).
        self.fields["restores_need_approval"].disabled = self.instance.restores_need_approval


class SupportAccessForm(forms.Form):
    """The workspace that a member of staff opens for support, and why."""

    workspace = forms.ModelChoiceField(Workspace.objects.none(), empty_label="Select a workspace")
    reason = forms.CharField(
        max_length=300,
        help_text="Shown to the owners of the workspace and kept in its audit log.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Workspace.objects.exclude(memberships__user=user)
        self.fields["workspace"].queryset = others  # type: ignore[attr-defined]


class RoleForm(forms.Form):
    """The role of a member."""

    role = forms.ChoiceField(choices=Role.choices, label="Role", initial=Role.READER)
