"""The filters of the run list; each is a parameter of the address."""

from __future__ import annotations

import builtins
import datetime as dt
from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.safestring import SafeString

from operations.catalog import OperationCatalog
from operations.causes import MAX_DETAIL, describe_cause
from operations.models import ACTIVE, NEEDS_ATTENTION, OperationRun
from operations.reasons import all_reasons, get_reason
from operations.selection import Chosen, select_runs
from operations.splits import Selection
from operations.states import ATTENTION_OUTCOMES, RunOutcome, RunStatus
from tenancy.filtering import (
    FIRST_DAY,
    HOUR_WITHOUT_DAY,
    HOURS,
    LAST_DAY,
    NOT_AN_HOUR,
    DayInput,
    HourInput,
    LookupField,
    LookupInput,
    Select,
    TextInput,
    end_of,
    find_tenants,
    render_fields,
    start_of,
)
from tenancy.models import TenantQuerySet
from web.keyset import NEWEST_FIRST, Order
from web.letter_case import ignore_case

VIEWS = (
    ("active", "Active"),
    ("attention", "Needs attention"),
    ("assigned", "Assigned to me"),
    ("mine", "My runs"),
    ("day", "Last 24 hours"),
    ("failed", "Failed in the last 24 hours"),
)
OUTCOMES = tuple(choice for choice in RunOutcome.choices if choice[0] != RunOutcome.PENDING)


def _type_choices() -> list[tuple[str, str]]:
    return [(key.value, entry.label) for key, entry in OperationCatalog.all().items()]


def _date(label: str, method: str) -> django_filters.DateFilter:
    return django_filters.DateFilter(
        label=label,
        method=method,
        input_formats=["%Y-%m-%d"],
        validators=[_in_range],
        widget=DayInput({"class": "form-control"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a date in the format YYYY-MM-DD, such as 2026-03-08."},
    )


def _hour(label: str) -> django_filters.ChoiceFilter:
    """The hour of the day; the filter of the day reads it."""
    return django_filters.ChoiceFilter(
        label=label,
        choices=HOURS,
        empty_label="Hour",
        method=lambda runs, *_: runs,
        widget=HourInput(label),
        error_messages={"invalid_choice": NOT_AN_HOUR},
    )


def _in_range(day: dt.date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValidationError(f"Enter a date from {FIRST_DAY} through {LAST_DAY}.")


def _menu(label: str, choices: Any, empty: str) -> django_filters.ChoiceFilter:
    widget = Select()
    return django_filters.ChoiceFilter(
        label=label, choices=choices, empty_label=empty, widget=widget
    )


class LookupFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = LookupField


def find_causes(text: str) -> list[tuple[str, str]]:
    """Return the causes that a text can mean: a cause, its name, or a part of the name.

    The code of a reason stands for all its causes.
    """
    labels = {reason.code: reason.label for reason in all_reasons()}
    code, _, detail = text.partition(":")
    if code in labels and len(detail) <= MAX_DETAIL and detail.isprintable():
        return [(text, describe_cause(text) if detail else labels[code])]
    named = [
        (key, label) for key, label in labels.items() if ignore_case(label) == ignore_case(text)
    ]
    part = [
        (key, label) for key, label in labels.items() if ignore_case(text) in ignore_case(label)
    ]
    return named or sorted(part, key=itemgetter(1))


class _SharedFilters(dict[str, django_filters.Filter]):
    """The filters of all requests. Each request sets attributes of copies, which share the rest."""

    def __deepcopy__(self, _: object) -> dict[str, django_filters.Filter]:
        return {name: _copy_of(each) for name, each in self.items()}


def _copy_of(shared: django_filters.Filter) -> django_filters.Filter:
    copied = copy(shared)
    # Setting it lets the copy call the method of the set that it belongs to.
    copied.method = shared.method
    return copied


class RunFilterForm(forms.Form):
    """Refuses an hour without its day."""

    def clean(self) -> dict[str, Any]:
        for name in ("since", "until"):
            if self.cleaned_data.get(f"{name}_hour") and not self.data.get(name):
                self.add_error(f"{name}_hour", HOUR_WITHOUT_DAY)
        return self.cleaned_data


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]
    """`RunFilter(request.GET, queryset=…, user=…, tenants=…, workspaces=…, zone=…)`.

    The query set has the runs of these workspaces, and `tenants` their tenants.
    `select()` returns the runs that it selects; `qs` has them without the condition of the text.
    """

    #: The order of the inputs, if it is not that of the filters.
    field_order: ClassVar[tuple[str, ...] | None] = None

    view = django_filters.ChoiceFilter(
        label="View", choices=VIEWS, method="by_view", widget=forms.HiddenInput
    )
    q = django_filters.CharFilter(
        label="Tenant, initiator, cause or run number",
        method="by_text",
        max_length=100,
        widget=TextInput(
            {
                "type": "search",
                "class": "form-control",
                "placeholder": "Tenant, initiator, cause, run number",
                "data-filter": "",
            }
        ),
    )
    type = _menu("Type", _type_choices, "Any type")
    tenant = LookupFilter(label="Tenant", widget=LookupInput("Any tenant"))
    status = _menu("Status", RunStatus.choices, "Any status")
    outcome = django_filters.ChoiceFilter(
        label="Outcome",
        choices=((RunOutcome.PENDING.value, "Active"), *OUTCOMES),
        empty_label="Any outcome",
        method="by_outcome",
        widget=Select(),
    )
    cause = LookupFilter(label="Cause", method="by_cause", widget=LookupInput("Any cause"))
    since = _date("From", "by_since")
    since_hour = _hour("From hour")
    until = _date("To", "by_until")
    until_hour = _hour("To hour")

    class Meta:
        model = OperationRun
        fields: tuple[str, ...] = ()
        form = RunFilterForm

    def __init__(
        self,
        *args: Any,
        user: Any,
        tenants: TenantQuerySet,
        zone: dt.tzinfo,
        workspaces: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.zone = zone
        self.tenants = tenants
        self.workspaces = workspaces

    @property
    def form(self) -> forms.Form:
        """The form; a query without values needs none, because all fields are optional."""
        if not hasattr(self, "_form"):
            fields = super().form.fields
            finders = {"tenant": partial(find_tenants, self.tenants), "cause": find_causes}
            for name in finders.keys() & fields.keys():
                fields[name].find = finders[name]
        form: forms.Form = self._form
        return form

    @property
    def qs(self) -> Any:
        """The runs that satisfy the filters."""
        return super().qs if self.is_set else self.queryset.all()

    @property
    def values(self) -> dict[str, Any]:
        """The values of a valid query; empty without any."""
        return self.form.cleaned_data if self.is_set else {}

    @property
    def fields_html(self) -> SafeString:
        """The inputs of the form."""
        if self.is_set:
            return render_fields(self.form)
        return self._empty_fields(tuple(_type_choices()))

    @classmethod
    @lru_cache(maxsize=4)
    def _empty_fields(cls, _types: tuple[tuple[str, str], ...]) -> SafeString:
        """The inputs without values, which are the same for every request with these types."""
        return render_fields(cls.get_form_class()({}))

    @classmethod
    @cache
    def get_form_class(cls) -> builtins.type[forms.Form]:
        """Return the class of the form, which is the same for every request."""
        # A filter keeps the field that it makes. Other threads copy the shared filters meanwhile.
        fields = {name: copy(each).field for name, each in cls.base_filters.items()}
        return type("RunFilterFields", (RunFilterForm,), {**fields, "field_order": cls.field_order})

    @property
    def keys(self) -> dict[str, str]:
        """The keys of the tenant and the cause that texts of a valid query name."""
        values = self.values
        names = (name for name, field in self.filters.items() if isinstance(field, LookupFilter))
        return {name: values[name] for name in names if values.get(name)}

    @property
    def is_set(self) -> bool:
        """Whether any filter has a value."""
        return any(self.data.get(name) for name in self.filters)

    @property
    def error_messages(self) -> list[str]:
        """One message for each invalid filter."""
        if not self.is_set:
            return []
        form = self.form
        return [
            f"{form.fields[name].label}: {error}"
            for name, errors in form.errors.items()
            for error in errors
        ]

    def by_view(self, runs: QuerySet[OperationRun], _: str, view: str) -> QuerySet[OperationRun]:
        if view == "active":
            return runs.filter(status__in=(RunStatus.QUEUED, RunStatus.RUNNING))
        if view == "attention":
            return runs.filter(NEEDS_ATTENTION)
        if view == "assigned":
            return runs.filter(assigned_to=self.user, recovered_at__isnull=True)
        if view == "mine":
            return runs.filter(user=self.user)
        runs = runs.filter(created_at__gte=Now() - dt.timedelta(hours=24))
        return runs if view == "day" else runs.filter(outcome__in=ATTENTION_OUTCOMES)

    def by_outcome(
        self, runs: QuerySet[OperationRun], _: str, outcome: str
    ) -> QuerySet[OperationRun]:
        # The index of active runs has their statuses as its condition.
        return runs.filter(ACTIVE if outcome == RunOutcome.PENDING else Q(outcome=outcome))

    def by_text(self, runs: QuerySet[OperationRun], _: str, text: str) -> QuerySet[OperationRun]:
        """Return all runs: `select` searches for the text."""
        return runs

    def by_cause(self, runs: QuerySet[OperationRun], _: str, cause: str) -> QuerySet[OperationRun]:
        matches = Q(cause=cause)
        if get_reason(cause).cause:
            # The causes with a detail, as a range of the index.
            matches |= Q(cause__gte=f"{cause}:", cause__lt=f"{cause};")
        return runs.filter(matches)

    def by_since(self, runs: QuerySet[OperationRun], _: str, day: dt.date) -> Any:
        hour = self.form.cleaned_data["since_hour"]
        return runs.filter(created_at__gte=start_of(day, hour, self.zone))

    def by_until(self, runs: QuerySet[OperationRun], _: str, day: dt.date) -> Any:
        hour = self.form.cleaned_data["until_hour"]
        return runs.filter(created_at__lt=end_of(day, hour, self.zone))

    def select(self, order: Order = NEWEST_FIRST, *, only: Q = Q()) -> Selection:  # noqa: B008
        """Return the selected runs for a list in this order; the filter must be valid.

        Args:
            order: of the list.
            only: the condition of the order.
        """
        runs = self.qs
        values = self.values
        chosen = Chosen(**{name: values.get(name) or "" for name in Chosen.NAMES})
        if chosen.has_splits_of_cause:
            runs = self._runs_without_cause()
        return select_runs(runs.filter(only), chosen, self.workspaces, self.tenants, order)

    def _runs_without_cause(self) -> Any:
        """The runs that satisfy the other filters: the splits of a cause have that condition."""
        runs: QuerySet[OperationRun] = self.queryset
        for name, value in self.values.items():
            if name != "cause":
                runs = self.filters[name].filter(runs, value)
        return runs


RunFilter.base_filters = _SharedFilters(RunFilter.base_filters)
