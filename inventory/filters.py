"""The filters of the inventory's lists; each is a parameter of its address.

A value that means nothing is left out: it can only come from an address that somebody changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from tenancy.models import Tenant, Workspace

MAX_SEARCH = 100
STATES = (("", "Present"), ("gone", "Gone"), ("all", "Present and gone"))
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


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

    @classmethod
    def of(
        cls, given: Mapping[str, Any], workspace: Workspace, choices: Iterable[Choice] = ()
    ) -> Filters:
        """Read the parameters of a list of this workspace."""
        tenant_id = str(given.get("tenant") or "")
        tenants = workspace.tenants.filter(pk=tenant_id) if _ID.fullmatch(tenant_id) else None
        state = str(given.get("state") or "")
        return cls(
            search=_searched(given.get("q")),
            tenant=tenants.first() if tenants is not None else None,
            state=state if state in dict(STATES) else "",
            chosen={
                choice.name: value
                for choice in choices
                if (value := str(given.get(choice.name) or "")) in choice.options
            },
        )

    def apply(self, rows: QuerySet[Any], choices: Iterable[Choice] = ()) -> QuerySet[Any]:
        """The rows that match."""
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


def _searched(text: Any) -> str:
    clean = "".join(c for c in str(text or "") if c != "\x00" and not "\ud800" <= c <= "\udfff")
    return clean.strip()[:MAX_SEARCH]
