"""The filters of the inventory's lists; each is a parameter of its address.

With one that cannot be used nothing is found: neither a list nor a bulk action is ever wider than
what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from tenancy.filtering import ListFilter
from tenancy.models import Tenant, Workspace

STATES = (("", "Present"), ("gone", "Gone"), ("all", "Present and gone"))


@dataclass(frozen=True)
class Choice:
    """A menu of a list: the parameter, its label, its values, and the filter of each."""

    name: str
    label: str
    empty: str
    options: Mapping[str, str]
    where: Mapping[str, Q]


@dataclass
class Filters:
    """What an address asks for."""

    search: str = ""
    tenant: Tenant | None = None
    state: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    #: What of it cannot be used, and why.
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, given: Mapping[str, Any], workspace: Workspace, choices: Iterable[Choice] = ()
    ) -> Filters:
        """Read the parameters of a list of this workspace."""
        filters = ListFilter(given)
        return cls(
            search=filters.text(),
            tenant=filters.tenant(workspace.tenants.all()),
            state=filters.one_of("state", "State", dict(STATES)),
            chosen={
                choice.name: value
                for choice in choices
                if (value := filters.one_of(choice.name, choice.label, choice.options))
            },
            errors=filters.errors,
        )

    def apply(self, rows: QuerySet[Any], choices: Iterable[Choice] = ()) -> QuerySet[Any]:
        """The rows that match; none, if anything that was asked for cannot be used."""
        if self.errors:
            return rows.none()
        if self.state != "all":
            rows = rows.filter(gone_at__isnull=self.state != "gone")
        if self.tenant:
            rows = rows.filter(tenant=self.tenant)
        if self.search:
            rows = rows.filter(Q(name__icontains=self.search) | Q(graph_id=self.search))
        for choice in choices:
            if choice.name in self.chosen:
                rows = rows.filter(choice.where[self.chosen[choice.name]])
        return rows

    def as_query(self) -> dict[str, str]:
        """The parameters again, without those that are not set."""
        asked = {
            "q": self.search,
            "tenant": str(self.tenant.pk) if self.tenant else "",
            "state": self.state,
            **self.chosen,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def is_set(self) -> bool:
        return bool(self.as_query())
