"""The form for the role of a group."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.group_roles.models import GroupRole
from accounts.identity_providers import identity_providers


class GroupRoleForm(forms.ModelForm[GroupRole]):
    """A group of an identity provider and the role of its users."""

    class Meta:
        model = GroupRole
        fields = ("provider", "group", "role")
        help_texts = {
            "group": "The object ID of the group in Microsoft Entra, or the name in the token."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(entry.id, entry.name) for entry in identity_providers()]
        self.fields["provider"] = forms.ChoiceField(choices=choices, label="Identity provider")
        self.fields["group"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
