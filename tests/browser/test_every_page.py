"""Every route is on a tour or is listed as a route without a page."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.urls import Resolver404, resolve

from legacy_runs.addresses import ADDRESSES
from tests.browser.pages import TOURS, populate
from tests.support.routes import OPEN, ROUTES

#: Routes without a page to visit, and why.
NO_PAGE = {
    **dict.fromkeys((name for name, _, _ in ADDRESSES), "redirects to the current address"),
    "legacy_entra_group_sync_run": "looks like legacy_inventory_sync_run",
    "run_log": "a text file",
    "openapi_document": "a JSON file",
    "run_export": "a CSV file",
    "run_export_all": "a CSV file",
    "audit_export": "a CSV file",
    "account_login": "another name of sign_in",
    "entra_callback": "needs an identity provider; see test_identity_provider.py",
    "oidc_callback": "needs an identity provider; see test_identity_provider.py",
    "identity_start": "needs an identity provider; see test_identity_provider.py",
    "freshness_export": "a CSV file",
    "change_export": "a CSV file",
    "backup_set_download": "an archive",
    "backup_item_download": "a JSON file",
    "healthz": "for probes",
    "livez": "for probes",
    "metrics": "for Prometheus",
    "mfa_authenticate": "needs a password first; see test_appearance.py",
    "passkey_sign_in": "JSON for the page of the sign-in",
    "sign_out": "redirects to the sign-in",
    "theme": "redirects to the page that it was on",
}


def visited_routes(tour: str) -> set[str]:
    """Return the names of the routes of a tour; roll back the rows that it creates."""
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
def test_every_page_is_on_a_tour() -> None:
    visited = {name for tour in TOURS for name in visited_routes(tour)}
    pages = OPEN | {route.name for route in ROUTES if not route.post}

    assert pages - visited - NO_PAGE.keys() == set(), (
        "add these to a tour of tests/browser/pages.py"
    )
    assert visited & NO_PAGE.keys() == set(), "these are visited and need no reason"
    assert NO_PAGE.keys() <= pages, "these routes no longer exist"
