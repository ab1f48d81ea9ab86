"""The form of a schedule."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from django import forms
from django.db.models import Exists, OuterRef
from django.http import QueryDict

from backups import kinds
from backups.models import BackupSchedule
from providers.graph.kinds import KINDS
from tenancy.filtering import MAX_SEARCH
from tenancy.models import Tenant, Workspace
from web.ids import parse_ids

MAX_SETS = 1000
MAX_DAYS = 3650
MAX_GRACE_HOURS = 7 * 24
TENANTS_SHOWN = 50
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
        hours = int(self.instance.misfire_grace / dt.timedelta(hours=1))
        self.initial.setdefault("grace_hours", hours)

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
    """The same schedule for one tenant, for several, or for every one that lacks it.

    It shows the tenants that are ticked and the first ones that a search finds: a workspace may
    have thousands.
    """

    every = forms.BooleanField(
        required=False, label="Or for every active tenant that has none of this name"
    )
    find = forms.CharField(
        required=False,
        max_length=MAX_SEARCH,
        label="Find tenants",
        help_text=f"The first {TENANTS_SHOWN} are shown. What is ticked stays ticked.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    tenants = forms.ModelMultipleChoiceField(
        queryset=Tenant.objects.none(),
        required=False,
        label="Tenants",
        widget=forms.CheckboxSelectMultiple,
        help_text="Each gets a schedule of its own.",
        error_messages={
            "invalid_choice": "There is no such tenant in this workspace.",
            "invalid_pk_value": "There is no such tenant in this workspace.",
        },
    )
    field_order = ("find", "tenants", "every", "name")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        field = self.fields["tenants"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = workspace.tenants.all()
        field.widget.choices = self._shown()
        if len(workspace.tenants.all()[: TENANTS_SHOWN + 1]) <= TENANTS_SHOWN:
            del self.fields["find"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "tenants" not in self.errors and not (data.get("every") or data.get("tenants")):
            self.add_error("tenants", "Choose at least one tenant.")
        return data

    @property
    def chosen(self) -> list[Tenant]:
        """The tenants that the valid form is for."""
        ticked = list(self.cleaned_data["tenants"])
        if not self.cleaned_data["every"]:
            return ticked
        same = BackupSchedule.objects.filter(name=self.cleaned_data["name"], tenant=OuterRef("pk"))
        lacking = self.workspace.tenants.active().filter(~Exists(same))
        return list({tenant.pk: tenant for tenant in [*ticked, *lacking]}.values())

    def _shown(self) -> list[tuple[int, str]]:
        """The tenants to choose from: the ticked ones, then those that are found."""
        tenants = self.workspace.tenants.order_by("name", "pk")
        ticked = tenants.filter(pk__in=self._ticked())
        found = tenants.filter(name__icontains=self._value("find"))
        rows = [*ticked.values_list("pk", "name"), *found.values_list("pk", "name")[:TENANTS_SHOWN]]
        return list(dict(rows).items())

    def _ticked(self) -> list[int]:
        given = self.initial.get("tenants", [])
        if self.is_bound:
            given = cast("QueryDict", self.data).getlist("tenants")
        return parse_ids(given)

    def _value(self, name: str) -> str:
        value = self.data.get(name) if self.is_bound else self.initial.get(name)
        return str(value or "").replace("\x00", "")[:MAX_SEARCH]
