"""What a list is asked for by its address.

A value that cannot be used is told and never left out: a list that shows more than was asked for
would be believed, and worked on.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

from django.db.models import QuerySet

from tenancy.models import Tenant
from web.ids import parse_id

MAX_SEARCH = 100
#: More than this in a menu helps nobody; a tenant's own page leads to what is there of it.
TENANTS_IN_MENU = 200
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


class Asked:
    """Reads the parameters of an address; `errors` tells of those that cannot be used."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.errors: list[str] = []

    def text(self, name: str = "q") -> str:
        """What is searched for, without spaces around it."""
        text = self._value(name).strip()
        if len(text) > MAX_SEARCH:
            self.errors.append(f"The search takes at most {MAX_SEARCH} characters.")
        elif _NOT_TEXT.search(text):
            self.errors.append("The search holds a character that no name can have.")
        else:
            return text
        return ""

    def one_of(self, name: str, label: str, values: Container[str]) -> str:
        """One of these values, or none."""
        value = self._value(name)
        if value and value not in values:
            self.errors.append(f"{label}: there is no such choice.")
            return ""
        return value

    def tenant(self, tenants: QuerySet[Tenant], name: str = "tenant") -> Tenant | None:
        """One of these tenants, or none; one that is not among them is as good as missing."""
        value = self._value(name)
        tenant_id = parse_id(value)
        found = None if tenant_id is None else tenants.filter(pk=tenant_id).first()
        if value and found is None:
            self.errors.append("Tenant: there is no such tenant.")
        return found

    def _value(self, name: str) -> str:
        return str(self._given.get(name) or "")


def tenant_menu(tenants: QuerySet[Tenant], chosen: Tenant | None) -> list[Tenant]:
    """The first tenants by name, and the one that is chosen, wherever it stands."""
    menu = list(tenants.order_by("name", "pk")[:TENANTS_IN_MENU])
    return menu if chosen is None or chosen in menu else [*menu, chosen]
