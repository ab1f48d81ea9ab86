"""No page is forgotten by the tours: each route is on one, or is known to show no page."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.urls import Resolver404, resolve

from legacy_runs.addresses import ADDRESSES
from tests.browser.pages import TOURS, populate
from tests.support.routes import OPEN, ROUTES

#: Routes that show no page to look at, and why.
NO_PAGE = {
    **dict.fromkeys((name for name, _, _ in ADDRESSES), "leads to the address of now"),
    "legacy_entra_group_sync_run": "looks like legacy_inventory_sync_run",
    "run_log": "a text file",
    "run_export": "a CSV file",
    "run_export_all": "a CSV file",
    "healthz": "for probes",
    "livez": "for probes",
    "sign_out": "leads to the sign-in",
}


def looked_at(tour: str) -> set[str]:
    """The names of the routes of a tour; what it has populated is gone afterward."""
    with transaction.atomic():
        populate()
        addresses = TOURS[tour].populate().values()
        transaction.set_rollback(True)
    return {name for address in addresses if (name := name_of(address))}


def name_of(address: str) -> str:
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


@pytest.mark.django_db
def test_every_page_is_looked_at_or_is_known_to_be_none() -> None:
    seen = {name for tour in TOURS for name in looked_at(tour)}
    pages = OPEN | {route.name for route in ROUTES if not route.post}

    assert pages - seen - NO_PAGE.keys() == set(), "add these to a tour of tests/browser/pages.py"
    assert seen & NO_PAGE.keys() == set(), "these are looked at and need no reason"
    assert NO_PAGE.keys() <= pages, "these are no routes any more"
