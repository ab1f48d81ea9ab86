"""The form with which runs are acknowledged."""

from __future__ import annotations

from typing import Any

from django import forms

from operations.services import MAX_NOTE
from tenancy.models import User, Workspace


class AcknowledgeForm(forms.Form):
    """A note and an assignee, both optional. The assignee is a member of the workspace."""

    note = forms.CharField(
        label="Note",
        required=False,
        max_length=MAX_NOTE,
        widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
    )
    assignee = forms.ModelChoiceField(
        User.objects.none(),
        label="Assign to",
        required=False,
        empty_label="No one",
        widget=forms.Select({"class": "form-select"}),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = User.objects.filter(memberships__workspace=workspace, is_active=True)
        self.fields["assignee"].queryset = members.order_by("username")  # type: ignore[attr-defined]
