"""The form of a schedule."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms

from backups import kinds
from backups.models import BackupSchedule
from providers.graph.kinds import KINDS
from tenancy.models import Tenant, Workspace

MAX_SETS = 1000
MAX_DAYS = 3650
MAX_GRACE_HOURS = 7 * 24
#: Presets that fill the form by its address.
PRESETS = (
    ("Every night at 02:30", "30 2 * * *"),
    ("Every six hours", "15 */6 * * *"),
    ("Weekdays at 03:00", "0 3 * * 1-5"),
    ("Sundays at 04:00", "0 4 * * 0"),
)


def _number(label: str, *, most: int, least: int = 1, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=least, max_value=most, help_text=help_text)


class ScheduleForm(forms.ModelForm[BackupSchedule]):
    """What a schedule reads, when, and how long it is kept."""

    kinds = forms.MultipleChoiceField(
        label="Reads",
        choices=[
            (kind.key, f"{kind.label_plural} ({kind.permission_read})") for kind in KINDS.values()
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="In brackets: the permission that the connection needs.",
        error_messages={"required": "Choose at least one kind."},
    )
    retention_keep_sets = _number(
        "Keep sets", most=MAX_SETS, help_text="The newest complete sets that are always kept."
    )
    retention_keep_days = _number(
        "Keep days", most=MAX_DAYS, help_text="Sets younger than this are always kept."
    )
    grace_hours = _number(
        "Grace in hours",
        least=0,
        most=MAX_GRACE_HOURS,
        help_text="How late the latest missed slot may still be fired.",
    )

    class Meta:
        model = BackupSchedule
        fields = (
            "name",
            "cron",
            "timezone",
            "kinds",
            "retention_keep_sets",
            "retention_keep_days",
            "misfire_policy",
        )
        labels = {"cron": "Fires", "timezone": "Time zone", "misfire_policy": "When a slot is late"}
        widgets = {
            "timezone": forms.TextInput({"list": "timezones", "autocomplete": "off"}),
            "cron": forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["kinds"] = self.initial.get("kinds") or list(KINDS)
        self.initial["grace_hours"] = int(self.instance.misfire_grace / dt.timedelta(hours=1))

    def clean_kinds(self) -> list[str]:
        chosen: list[str] = list(dict.fromkeys(self.cleaned_data["kinds"]))
        kinds.validate_kinds(chosen)
        return chosen

    def clean_grace_hours(self) -> int:
        hours: int = self.cleaned_data["grace_hours"]
        self.instance.misfire_grace = dt.timedelta(hours=hours)
        return hours

    def tell(self, errors: dict[str, list[str]]) -> None:
        """Show what the service refused at the fields that it names."""
        for name, messages in errors.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)


class NewScheduleForm(ScheduleForm):
    """The same schedule for one tenant or for several."""

    tenants = forms.ModelMultipleChoiceField(
        queryset=Tenant.objects.none(),
        label="Tenants",
        widget=forms.CheckboxSelectMultiple,
        help_text="Each gets a schedule of its own.",
        error_messages={
            "required": "Choose at least one tenant.",
            "invalid_choice": "There is no such tenant in this workspace.",
            "invalid_pk_value": "There is no such tenant in this workspace.",
        },
    )
    field_order = ("tenants", "name")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["tenants"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = workspace.tenants.all()
