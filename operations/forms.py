"""The forms with which runs are acknowledged and views are saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from operations.services import MAX_NOTE, MAX_REASON
from redaction.text import sanitize_text
from tenancy.filtering import Select, TextInput
from tenancy.models import User, Workspace
from web.names import validate_name

_TOO_LONG = f"Enter a reason of at most {MAX_REASON} characters."


class AcknowledgeForm(forms.Form):
    """A note and an assignee, both optional. The assignee is a member of the workspace."""

    note = forms.CharField(
        label="Note",
        required=False,
        max_length=MAX_NOTE,
        widget=TextInput({"class": "form-control", "autocomplete": "off"}),
    )
    assignee = forms.ModelChoiceField(
        User.objects.none(),
        label="Assign to",
        required=False,
        empty_label="No one",
        widget=Select(),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = User.objects.filter(
            memberships__workspace=workspace, is_active=True, is_service_account=False
        )
        self.fields["assignee"].queryset = members.order_by("username")  # type: ignore[attr-defined]


class CancelForm(forms.Form):
    """The reason of a cancellation, which is optional."""

    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON,
        error_messages={"max_length": _TOO_LONG},
        widget=TextInput({"class": "form-control", "autocomplete": "off"}),
    )

    def clean_reason(self) -> str:
        """Redact the reason, which can make it longer."""
        reason = sanitize_text(self.cleaned_data["reason"], max_length=MAX_REASON + 1)
        if len(reason) > MAX_REASON:
            raise ValidationError(_TOO_LONG)
        return reason


class SavedViewForm(forms.Form):
    """The name of a saved view, and for those who may share views, whether it is shared."""

    name = forms.CharField(
        max_length=80,
        validators=[validate_name],
        widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
    )
    is_shared = forms.BooleanField(
        label="Share with all members of the workspace",
        required=False,
        widget=forms.CheckboxInput({"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, may_share: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_share:
            del self.fields["is_shared"]
