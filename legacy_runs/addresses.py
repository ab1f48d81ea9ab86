"""The legacy addresses: the URLs that an older installation had for its runs.

The table is the setting `LEGACY_ADDRESSES`. Each address leads where the row's own page leads, so
that bookmarks keep working. `legacy_runs.urls` makes the routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from legacy_runs.models import TABLES

ROW = "<int:legacy_id>"
#: Django admin handles every path below this; legacy addresses there need routes before it.
ADMIN = "admin/"


class LegacyAddress(NamedTuple):
    """A route's name, its path with the row's id as `legacy_id`, and the kind of the row."""

    name: str
    path: str
    kind: str

    @property
    def is_below_admin(self) -> bool:
        return self.path.startswith(ADMIN)


def parse_addresses(table: Iterable[str]) -> list[LegacyAddress]:
    """Parse lines of the form `kind=path`.

    Raises:
        ImproperlyConfigured: a line has another form.
    """
    addresses = []
    for number, line in enumerate(table, start=1):
        kind, _, path = line.strip().partition("=")
        if kind not in TABLES or path.count(ROW) != 1 or path.startswith("/"):
            raise ImproperlyConfigured(
                f"LEGACY_ADDRESSES: “{line}” is not KIND=PATH, with one of {', '.join(TABLES)}, "
                f"and a path that contains {ROW} and does not begin with a slash."
            )
        addresses.append(LegacyAddress(f"legacy_address_{number}", path, kind))
    return addresses


ADDRESSES = parse_addresses(settings.LEGACY_ADDRESSES)
