"""How a list of runs is read: which index serves its filters, its search and its order.

`operations.splits` reads a page by several index scans. This module chooses them from the filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from django.db.models import Q

from operations.causes import codes_with
from operations.models import OperationRunQuerySet
from operations.reasons import get_reason
from operations.splits import (
    Selection,
    Split,
    occurring_causes,
    occurring_initiators,
    occurring_types,
    with_types,
)
from operations.states import ATTENTION_OUTCOMES, RunOutcome, RunStatus
from tenancy.models import TenantQuerySet
from web.ids import parse_id
from web.keyset import NEWEST_FIRST, Order
from web.letter_case import ignore_case

#: The quick filters and the values of other filters of which there are few runs, each in an index.
_FEW_RUNS = ("active", "attention", "assigned", "mine")
_ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING, RunOutcome.PENDING)
_PROBLEMS = Split(("outcome",), [(outcome.value,) for outcome in ATTENTION_OUTCOMES])


@dataclass(frozen=True)
class Chosen:
    """The values of the filters of a list; empty without one."""

    NAMES: ClassVar = (
        "view",
        "q",
        "type",
        "tenant",
        "status",
        "outcome",
        "cause",
        "since",
        "until",
    )

    view: str = ""
    q: str = ""
    type: str = ""
    tenant: str = ""
    status: str = ""
    outcome: str = ""
    cause: str = ""
    since: object = ""
    until: object = ""

    @property
    def has_splits_of_cause(self) -> bool:
        """Whether the list is read by causes, which then is its condition on them.

        With a second one, the database would expect one row of each cause, and read and sort all.
        """
        return bool(self.cause and not self.tenant)

    @property
    def is_active(self) -> bool:
        """Whether only active runs are listed."""
        return self.status in _ACTIVE or self.outcome in _ACTIVE

    @property
    def selects_few(self) -> bool:
        """Whether an index contains few runs besides the selected ones."""
        return bool(self.view in _FEW_RUNS or self.is_active or self.cause or self.tenant)

    @property
    def has_order(self) -> bool:
        """Whether an index has the runs in the orders by end and by duration."""
        others = (self.view, self.q, self.tenant, self.cause, self.since, self.until)
        return not any(others) and not self.is_active


def select_runs(
    runs: OperationRunQuerySet,
    chosen: Chosen,
    workspaces: Sequence[int],
    tenants: TenantQuerySet,
    order: Order,
) -> Selection:
    """Return the runs that the filters select, for a list in an order.

    Args:
        runs: the runs of these workspaces that satisfy all filters but the text, and the cause
            if the list has splits of it.
        chosen: the values of the filters.
        workspaces: the workspaces of the list, all of which the user can view.
        tenants: the tenants of these workspaces that the user can view.
        order: of the list.
    """
    is_by_request = order.value == NEWEST_FIRST.value
    if not is_by_request and chosen.has_order:
        # The indexes of these orders begin with the type, or with an outcome of few runs.
        if chosen.type or chosen.outcome not in ("", RunOutcome.SUCCEEDED):
            return Selection(runs)
        return Selection(runs, (occurring_types(workspaces),))
    searched = Selection(runs, _splits(chosen, workspaces), is_sorted=not is_by_request)
    if not chosen.q:
        return searched
    matches = text_matches(chosen.q, tenants)
    if chosen.selects_few:
        return replace(searched, runs=runs.filter(matches))
    splits = _search(chosen, workspaces, tenants)
    return replace(searched, splits=splits, searched=searched, matches=matches)


def _splits(chosen: Chosen, workspaces: Sequence[int]) -> tuple[Split, ...] | None:
    """Return the splits of a list without a search; None if one index scan has its order."""
    if chosen.has_splits_of_cause:
        return (_causes(chosen, workspaces),)
    if chosen.tenant:
        has_causes = bool(chosen.cause and get_reason(chosen.cause).cause)
        return (_PROBLEMS,) if has_causes or chosen.view == "failed" else None
    if chosen.view in ("mine", "assigned"):
        return None
    scope = Split(("workspace_id",), [(workspace,) for workspace in workspaces])
    if chosen.view == "failed":
        return (scope.combined_with(_PROBLEMS),)
    return (scope,) if len(workspaces) > 1 else None


def _causes(chosen: Chosen, workspaces: Sequence[int]) -> Split:
    """Return the chosen cause, and for a reason all of its causes."""
    with_details = f"{chosen.cause}:" if get_reason(chosen.cause).cause else None
    return occurring_causes(workspaces).where(
        lambda _, cause: (
            cause == chosen.cause or (with_details is not None and cause.startswith(with_details))
        )
    )


# --- the search for a text --------------------------------------------------------------------


def _search(
    chosen: Chosen, workspaces: Sequence[int], tenants: TenantQuerySet
) -> tuple[Split, ...]:
    """Return the runs with a text, one split for each place in which they have it."""
    number = parse_id(chosen.q.removeprefix("#"))
    by_number = [Split(("id",), [(number,)])] if number is not None else []
    if by_number and chosen.q.startswith("#"):
        return tuple(by_number)
    text, codes = ignore_case(chosen.q), set(codes_with(chosen.q))
    initiators, causes = occurring_initiators(workspaces), occurring_causes(workspaces)
    named = initiators.where(lambda _, name: text in ignore_case(name))
    of_type = Split(("type",), [(chosen.type,)])
    by_name = [
        Split(("tenant_id",), list(tenants.filter(name__icontains=chosen.q).values_list("pk"))),
        named.combined_with(of_type) if chosen.type else with_types(named),
    ]
    if chosen.view == "failed":
        by_name = [split.combined_with(_PROBLEMS) for split in by_name]
    by_cause = causes.where(
        lambda _, cause: text in ignore_case(cause) or cause.partition(":")[0] in codes
    )
    return (*by_number, *by_name, by_cause)


def text_matches(text: str, tenants: TenantQuerySet) -> Q:
    """Return the condition that a run has a text, which is checked run by run."""
    number = parse_id(text.removeprefix("#"))
    by_number = Q(pk=number) if number is not None else Q()
    if by_number and text.startswith("#"):
        return by_number
    matches = by_number | Q(initiator_name__icontains=text) | Q(cause__icontains=text)
    if codes := codes_with(text):
        matches |= Q(cause__regex=f"^({'|'.join(codes)})(:|$)")
    return matches | Q(tenant__in=tenants.filter(name__icontains=text).order_by())
