"""The filters of the inventory's lists; each is a parameter of the address.

An invalid filter matches nothing, so that no list and no bulk action is wider than requested.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from tenancy.filtering import FilterField, ListFilter
from tenancy.models import Tenant, Workspace

STATES = (("", "Present"), ("deleted", "Deleted in tenant"), ("all", "Present and deleted"))


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
    """The filters of an address."""

    search: str = ""
    tenant: Tenant | None = None
    state: str = ""
    values: dict[str, str] = field(default_factory=dict)
    #: The inputs of the filter form.
    fields: list[FilterField] = field(default_factory=list)
    #: One message for each invalid parameter.
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, params: Mapping[str, Any], workspace: Workspace, choices: Iterable[Choice] = ()
    ) -> Filters:
        """Read the parameters of a list of this workspace."""
        list_filter = ListFilter(params)
        search = list_filter.text("Name or Graph ID")
        tenant = list_filter.tenant(workspace.tenants.all())
        values = {
            choice.name: list_filter.choice(
                choice.name, choice.label, choice.options.items(), empty=choice.empty
            )
            for choice in choices
        }
        return cls(
            search=search,
            tenant=tenant,
            state=list_filter.choice("state", "State", STATES),
            values={name: value for name, value in values.items() if value},
            fields=list_filter.fields,
            errors=list_filter.errors,
        )

    def apply(self, rows: QuerySet[Any], choices: Iterable[Choice] = ()) -> QuerySet[Any]:
        """The rows that match; none if a filter is invalid."""
        if self.errors:
            return rows.none()
        if self.state != "all":
            rows = rows.filter(missing_since__isnull=self.state != "deleted")
        if self.tenant:
            rows = rows.filter(tenant=self.tenant)
        if self.search:
            rows = rows.filter(Q(name__icontains=self.search) | Q(graph_id=self.search))
        for choice in choices:
            if choice.name in self.values:
                rows = rows.filter(choice.where[self.values[choice.name]])
        return rows

    def as_query(self) -> dict[str, str]:
        """The parameters that are set."""
        params = {
            "q": self.search,
            "tenant": str(self.tenant.pk) if self.tenant else "",
            "state": self.state,
            **self.values,
        }
        return {name: value for name, value in params.items() if value}

    @property
    def is_set(self) -> bool:
        return bool(self.as_query())
