"""The forms that create access tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from accounts.access_tokens.models import TOKEN_ROLES
from operations.catalog import OperationCatalog
from tenancy.models import User, Workspace
from web.names import validate_name

#: The choices of the form, as far as the setting allows them.
DAYS = (7, 30, 90, 180, 365)


class ServiceTokenForm(forms.Form):
    """What a token of a workspace may do, and for how long."""

    name = forms.CharField(
        max_length=60,
        validators=[validate_name],
        help_text="Where the token is used, such as “Nightly report”.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, role.label) for role in TOKEN_ROLES],
        help_text="Select the lowest role that is enough.",
    )
    days = forms.TypedChoiceField(label="Expires after", coerce=int)
    operation_types = forms.MultipleChoiceField(
        label="Operations that it may start",
        required=False,
        help_text=(
            "Select none to allow all that the role allows. To change schedules, a token needs "
            "“Scheduled backup”."
        ),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days: Any = self.fields["days"]
        days.choices = [(number, f"{number} days") for number in _days()]
        days.initial = min(30, settings.ACCESS_TOKEN_MAX_DAYS)
        types: Any = self.fields["operation_types"]
        types.choices = [
            (run_type.value, entry.label) for run_type, entry in OperationCatalog.all().items()
        ]


class PersonalTokenForm(ServiceTokenForm):
    """What a token of a user may do, where, and for how long."""

    field_order = ("workspace", "name", "role", "days", "operation_types")
    workspace = forms.ModelChoiceField(Workspace.objects.none(), empty_label=None)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        workspaces: Any = self.fields["workspace"]
        workspaces.queryset = Workspace.objects.filter(memberships__user=user)
        self.fields["role"].help_text += " The token never has more than your own role."


def _days() -> list[int]:
    """Return the lifetimes to choose from; the longest one is that of the setting."""
    longest = settings.ACCESS_TOKEN_MAX_DAYS
    return [days for days in DAYS if days < longest] + [longest]
