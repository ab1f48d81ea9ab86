"""The forms of a schedule and of an objective."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from django import forms
from django.db.models import Exists, OuterRef
from django.http import QueryDict
from django.utils.choices import CallableChoiceIterator
from django.utils.functional import cached_property

from backups import kinds
from backups.models import MAX_HOURS, BackupSchedule
from providers.graph.kinds import KINDS
from tenancy.filtering import MAX_SEARCH
from tenancy.models import Tenant, Workspace
from web.ids import parse_ids

MAX_SETS = 1000
MAX_DAYS = 3650
MAX_GRACE_HOURS = 7 * 24
MAX_TENANT_RESULTS = 50
#: Presets of the form; the address selects one.
PRESETS = (
    ("Every night at 02:30", "30 2 * * *"),
    ("Every six hours", "15 */6 * * *"),
    ("Weekdays at 03:00", "0 3 * * 1-5"),
    ("Sundays at 04:00", "0 4 * * 0"),
)


def _number(
    label: str, *, max_value: int, min_value: int = 1, help_text: str = "", required: bool = True
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=min_value,
        max_value=max_value,
        help_text=help_text,
        required=required,
    )


class ObjectiveForm(forms.Form):
    """How old the last complete backup may be; without a value, the more general one counts."""

    hours = _number("Objective in hours", max_value=MAX_HOURS, required=False)


class ScheduleForm(forms.ModelForm[BackupSchedule]):
    """The scope, times and retention of a schedule."""

    kinds = forms.MultipleChoiceField(
        label="Scope",
        choices=[
            (kind.key, f"{kind.label_plural} ({kind.read_permission})") for kind in KINDS.values()
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="The permission that the connection needs is in parentheses.",
        error_messages={"required": "Select at least one policy kind."},
    )
    retention_keep_sets = _number(
        "Sets to keep", max_value=MAX_SETS, help_text="The newest complete sets are always kept."
    )
    retention_keep_days = _number(
        "Days to keep", max_value=MAX_DAYS, help_text="Newer sets are always kept."
    )
    grace_hours = _number(
        "Grace period in hours",
        min_value=0,
        max_value=MAX_GRACE_HOURS,
        help_text="The longest delay after which the latest missed slot still runs.",
    )
    objective_hours = _number(
        "Objective in hours",
        max_value=MAX_HOURS,
        required=False,
        help_text="How old the last complete backup may be. Leave empty for that of the workspace.",
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
            "objective_hours",
        )
        labels = {"cron": "Schedule", "timezone": "Time zone", "misfire_policy": "Missed runs"}
        widgets = {
            "timezone": forms.TextInput({"list": "timezones", "autocomplete": "off"}),
            "cron": forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usual = [key for key, kind in KINDS.items() if not kind.is_costly]
        self.initial["kinds"] = self.initial.get("kinds") or usual
        hours = int(self.instance.misfire_grace / dt.timedelta(hours=1))
        self.initial.setdefault("grace_hours", hours)

    def clean_kinds(self) -> list[str]:
        """Keep the order of the kinds that stay: another one would be a change in the audit log."""
        selected: list[str] = list(dict.fromkeys(self.cleaned_data["kinds"]))
        kinds.validate_kinds(selected)
        stored = [kind for kind in self.instance.kinds or () if kind in selected]
        return [*stored, *(kind for kind in selected if kind not in stored)]

    def clean_grace_hours(self) -> int:
        hours: int = self.cleaned_data["grace_hours"]
        self.instance.misfire_grace = dt.timedelta(hours=hours)
        return hours

    def add_errors(self, errors: dict[str, list[str]]) -> None:
        """Add the messages of the service to the fields that it names."""
        for name, messages in errors.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)


class NewScheduleForm(ScheduleForm):
    """The same schedule for one tenant, for several, or for every tenant that does not have it.

    A workspace can have thousands of tenants, so the form shows the selected ones and the first
    results of a search.
    """

    every = forms.BooleanField(
        required=False, label="All active tenants without a schedule of this name"
    )
    find = forms.CharField(
        required=False,
        max_length=MAX_SEARCH,
        label="Find tenants",
        help_text=f"Shows the first {MAX_TENANT_RESULTS} results. Selected tenants stay selected.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    tenants = forms.ModelMultipleChoiceField(
        queryset=Tenant.objects.none(),
        required=False,
        label="Tenants",
        widget=forms.CheckboxSelectMultiple,
        help_text="Each tenant gets a separate schedule.",
        error_messages={
            "invalid_choice": "Select a tenant of this workspace.",
            "invalid_pk_value": "Select a tenant of this workspace.",
        },
    )
    field_order = ("find", "tenants", "every", "name")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        field = self.fields["tenants"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = workspace.tenants.listed()
        field.widget.choices = CallableChoiceIterator(lambda: self._choices)
        if len(workspace.tenants.listed()[: MAX_TENANT_RESULTS + 1]) <= MAX_TENANT_RESULTS:
            del self.fields["find"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "tenants" not in self.errors and not (data.get("every") or data.get("tenants")):
            self.add_error("tenants", "Select at least one tenant.")
        return data

    @property
    def selected_tenants(self) -> list[Tenant]:
        """The tenants of the valid form."""
        selected = list(self.cleaned_data["tenants"])
        if not self.cleaned_data["every"]:
            return selected
        existing = BackupSchedule.objects.filter(
            name=self.cleaned_data["name"], tenant=OuterRef("pk"), deleted_at=None
        )
        others = self.workspace.tenants.active().filter(~Exists(existing))
        return list({tenant.pk: tenant for tenant in [*selected, *others]}.values())

    @cached_property
    def _choices(self) -> list[tuple[int, str]]:
        """The selected tenants, then the first results of the search."""
        if self.is_bound:
            params = cast("QueryDict", self.data)
            selected_ids, search = params.getlist("tenants"), params.get("find")
        else:
            selected_ids, search = self.initial.get("tenants", []), self.initial.get("find")
        search = str(search or "").replace("\x00", "")[:MAX_SEARCH]
        tenants = self.workspace.tenants.listed().order_by("name", "pk").values_list("pk", "name")
        selected = tenants.filter(pk__in=parse_ids(selected_ids))
        results = tenants.filter(name__icontains=search)[:MAX_TENANT_RESULTS]
        return list(dict([*selected, *results]).items())
