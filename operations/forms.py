"""The forms with which runs are acknowledged and views are saved."""

from __future__ import annotations

from typing import Any

from django import forms

from operations.services import MAX_NOTE
from tenancy.filtering import Select, TextInput
from tenancy.models import User, Workspace
from web.names import validate_name


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
