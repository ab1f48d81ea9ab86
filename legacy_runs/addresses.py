"""The addresses that older installations had for these rows: the table is `LEGACY_ADDRESSES`.

A moved installation keeps its bookmarks: each leads where the row's own address leads. Whatever else
an address holds, such as the number of a workspace, is read over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, path

from legacy_runs.models import TABLES
from legacy_runs.views import legacy_run_detail

ROW = "<int:legacy_id>"
#: Django admin takes all that begins so; an older address there has to be asked first.
ADMIN = "admin/"


class OlderAddress(NamedTuple):
    """The route's name, its path with the row's id as `legacy_id`, and the kind of the row."""

    name: str
    path: str
    kind: str

    def pattern(self) -> URLPattern:
        """Its route.

        Raises:
            ImproperlyConfigured: the path is none.
        """
        return path(self.path, legacy_run_detail, {"kind": self.kind}, name=self.name)


def older_addresses(table: Iterable[str]) -> list[OlderAddress]:
    """The addresses of a table of `kind=path`.

    Raises:
        ImproperlyConfigured: a line says something else.
    """
    return [_address(number, line) for number, line in enumerate(table, start=1)]


def _address(number: int, line: str) -> OlderAddress:
    kind, _, shape = line.strip().partition("=")
    if kind not in TABLES or shape.count(ROW) != 1 or shape.startswith("/"):
        raise ImproperlyConfigured(
            f"LEGACY_ADDRESSES: “{line}” is not KIND=PATH, with one of {', '.join(TABLES)}, and a "
            f"path that has {ROW} in it and does not begin with a slash."
        )
    return OlderAddress(f"older_address_{number}", shape, kind)


OLDER = older_addresses(settings.LEGACY_ADDRESSES)


def under_admin(addresses: Iterable[OlderAddress]) -> list[URLPattern]:
    """The routes that have to stand before Django admin."""
    return [each.pattern() for each in addresses if each.path.startswith(ADMIN)]


def elsewhere(addresses: Iterable[OlderAddress]) -> list[URLPattern]:
    """The other routes; they stand last, so that none takes a page's address away."""
    return [each.pattern() for each in addresses if not each.path.startswith(ADMIN)]
