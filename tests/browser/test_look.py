"""Every page in light, in dark and on a phone: no complaint of the browser, none of axe."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from operations.integrity import check_ledger
from tests.browser.conftest import DESK, PHONE, Complaints, keep_picture, sign_in
from tests.browser.pages import (
    furnish,
    furnish_backups,
    furnish_history,
    furnish_inventory,
    furnish_restores,
    furnish_retention,
)
from tests.factories import UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESK, "color_scheme": "light"},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True},
}


def serious(page: Any) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def scrolls_sideways(page: Any) -> bool:
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return bool(width > 0)


class Inspection:
    """Goes from page to page, keeps pictures, and collects what is wrong with them."""

    def __init__(self, page: Any, look: str) -> None:
        self.page = page
        self.look = look
        self.problems: dict[str, Any] = {}

    def visit(self, name: str, address: str) -> None:
        self.page.goto(address)
        keep_picture(self.page, f"{name}-{self.look}")
        if found := serious(self.page):
            self.problems[name] = found
        if scrolls_sideways(self.page):
            self.problems[f"{name} scrolls sideways"] = True


@pytest.fixture(params=LOOKS)
def inspection(request: Any, open_context: Any, complaints: Complaints) -> Inspection:
    page = open_context(**LOOKS[request.param]).new_page()
    complaints.watch(page)
    return Inspection(page, request.param)


def test_every_page_of_runs_looks_right(inspection: Inspection, complaints: Complaints):
    runs = furnish()
    inspection.visit("login", "/sign-in/")
    sign_in(inspection.page, "olga")

    inspection.visit("overview", "/w/contoso/")
    inspection.visit("overview-empty", "/w/northwind/")
    inspection.visit("runs", "/w/contoso/runs/")
    inspection.visit("runs-all", "/runs/?view=attention")
    inspection.visit("runs-empty", "/w/northwind/runs/")
    for name, run in runs.items():
        inspection.visit(f"run-{name}", f"/runs/{run.pk}/")

    assert inspection.problems == {}
    assert complaints == []


def test_every_page_of_backups_looks_right(inspection: Inspection, complaints: Complaints):
    furnish()
    sign_in(inspection.page, "olga")

    for name, address in furnish_backups().items():
        inspection.visit(name, address)

    assert inspection.problems == {}
    assert complaints == []


def test_every_page_of_tenants_and_their_inventory_looks_right(
    inspection: Inspection, complaints: Complaints
):
    furnish()
    addresses = furnish_inventory()
    sign_in(inspection.page, "owen")

    for name, address in addresses.items():
        inspection.visit(name, address)

    assert inspection.problems == {}
    assert complaints == []


def test_every_page_of_retention_looks_right(inspection: Inspection):
    furnish()
    sign_in(inspection.page, "olga")
    inspection.visit("retention-empty", "/w/contoso/retention/")

    for name, address in furnish_retention().items():
        inspection.visit(name, address)

    assert inspection.problems == {}


def test_every_page_of_history_looks_right(inspection: Inspection):
    furnish()
    sign_in(inspection.page, "olga")
    inspection.visit("history-empty", "/w/contoso/history/")

    for name, address in furnish_history().items():
        inspection.visit(name, address)

    assert inspection.problems == {}


def test_every_page_of_restores_looks_right(inspection: Inspection, complaints: Complaints):
    furnish()
    sign_in(inspection.page, "olga")
    inspection.visit("restores-empty", "/w/contoso/restores/")

    for name, address in furnish_restores().items():
        inspection.visit(name, address)

    assert inspection.problems == {}
    assert complaints == []


def test_the_page_of_integrity_looks_right(inspection: Inspection):
    furnish()
    UserFactory(username="sara", is_staff=True)
    sign_in(inspection.page, "sara")
    inspection.visit("integrity-unchecked", "/integrity/")
    check_ledger()

    inspection.visit("integrity", "/integrity/")

    assert inspection.problems == {}


def test_what_goes_wrong_looks_right_too(inspection: Inspection):
    furnish()
    sign_in(inspection.page, "olga")

    inspection.visit("not-found", "/w/nowhere/")
    inspection.visit("bad-filter", "/runs/?since=2026-02-30")
    inspection.visit("not-allowed", "/theme/")

    assert inspection.problems == {}
