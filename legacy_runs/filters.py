"""The filters of the lists of legacy runs; they extend the filters of the run list."""

from __future__ import annotations

from itertools import chain
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from legacy_runs.models import TABLES, LegacyRunEntry
from legacy_runs.statuses import ACTIVE, ENDED, SKIPPED
from operations.filters import OUTCOMES, RunFilter, RunFilterForm
from operations.filters import VIEWS as RUN_VIEWS
from operations.models import OperationRun
from operations.states import ATTENTION_OUTCOMES, RunStatus
from tenancy.filtering import Select
from web.ids import parse_id

VIEWS = (
    ("problems", "Problems"),
    ("mapped", "With a run"),
    ("unmapped", "Without a run"),
)
KINDS = tuple((kind, model.LABEL) for kind, model in TABLES.items())
_PROBLEMS = [status for outcome in ATTENTION_OUTCOMES for status in ENDED.get(outcome, ())]
_ORDER = (
    "view",
    "q",
    "kind",
    "tenant",
    "status",
    "outcome",
    "since",
    "since_hour",
    "until",
    "until_hour",
)


def _menu(label: str, choices: Any, empty: str, method: str) -> django_filters.ChoiceFilter:
    widget = Select()
    return django_filters.ChoiceFilter(
        label=label, choices=choices, empty_label=empty, method=method, widget=widget
    )


def _views(choices: Any) -> django_filters.ChoiceFilter:
    return django_filters.ChoiceFilter(
        label="View", choices=choices, method="by_view", widget=forms.HiddenInput
    )


def _search(label: str) -> django_filters.CharFilter:
    attrs = {"type": "search", "class": "form-control", "placeholder": label, "data-filter": ""}
    return django_filters.CharFilter(
        label=label, method="by_text", max_length=100, widget=forms.TextInput(attrs)
    )


class LegacyRunFilter(RunFilter):
    """The filters of the legacy runs of a workspace.

    A status of the older system counts as the status and the outcome that it corresponds to.
    """

    field_order = _ORDER

    view = _views(VIEWS)
    q = _search("Tenant or number")
    type = None
    kind = _menu("Kind", KINDS, "Any kind", "by_kind")
    status = _menu("Status", RunStatus.choices, "Any status", "by_status")
    outcome = _menu("Outcome", (*OUTCOMES, (SKIPPED, "Skipped")), "Any outcome", "by_outcome")

    class Meta:
        model = LegacyRunEntry
        fields: tuple[str, ...] = ()
        form = RunFilterForm

    def by_view(self, rows: QuerySet[Any], _: str, view: str) -> QuerySet[Any]:
        if view == "problems":
            return rows.filter(status__in=_PROBLEMS)
        return rows.filter(operation_run_id__isnull=view == "unmapped")

    def by_text(self, rows: QuerySet[Any], _: str, text: str) -> QuerySet[Any]:
        return rows.filter(self.text_matches(text))

    def text_matches(self, text: str) -> Q:
        """Match a part of a tenant's name, or the number of a row or of its run."""
        matches = Q(tenant__name__icontains=text)
        number = parse_id(text.removeprefix("#"))
        if number is not None:
            matches |= Q(own_id=number) | Q(was_operation_run_id=number)
        return matches

    def by_kind(self, rows: QuerySet[Any], _: str, kind: str) -> QuerySet[Any]:
        return rows.filter(kind=kind)

    def by_status(self, rows: QuerySet[Any], _: str, status: str) -> QuerySet[Any]:
        if status in ACTIVE:
            return rows.filter(status__in=ACTIVE[status])
        return rows.exclude(status__in=list(chain.from_iterable(ACTIVE.values())))

    def by_outcome(self, rows: QuerySet[Any], _: str, outcome: str) -> QuerySet[Any]:
        return rows.filter(Q(outcome=outcome) | Q(status__in=ENDED.get(outcome, ())))


class TenantRunFilter(LegacyRunFilter):
    """The filters of the runs and legacy runs of a tenant, with the quick filters of runs."""

    view = _views(RUN_VIEWS)
    q = _search("Initiator or number")
    kind = _menu("Kind", (("run", "Run"), *KINDS), "Any kind", "by_kind")
    tenant = None  # type: ignore[assignment]  # removes the inherited filter

    def by_view(self, rows: QuerySet[Any], name: str, view: str) -> QuerySet[Any]:
        """Only runs can be active, need attention, or belong to the user."""
        runs = rows.filter(kind="run")
        if view in ("attention", "assigned"):
            # The view of the database does not have the columns for these.
            matching = RunFilter.by_view(self, OperationRun.objects.all(), name, view)
            return runs.filter(own_id__in=matching.values("pk"))
        return RunFilter.by_view(self, runs, name, view)

    def text_matches(self, text: str) -> Q:
        return super().text_matches(text) | Q(initiator_name__icontains=text)
