"""Every page in light, in dark and on a phone: no complaint of the browser, none of axe."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESK, PHONE, Complaints, keep_picture, sign_in
from tests.browser.pages import TOURS, populate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESK, "color_scheme": "light"},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True},
}


def serious(page: Any) -> list[str]:
    """The serious accessibility violations that axe reports."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in violations
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
        self.look_at(name)

    def look_at(self, name: str) -> None:
        keep_picture(self.page, f"{name}-{self.look}")
        if violations := serious(self.page):
            self.problems[name] = violations
        if scrolls_sideways(self.page):
            self.problems[f"{name} scrolls sideways"] = True


@pytest.fixture(params=LOOKS)
def inspection(request: Any, open_context: Any, complaints: Complaints) -> Inspection:
    page = open_context(**LOOKS[request.param]).new_page()
    complaints.watch(page)
    return Inspection(page, request.param)


@pytest.mark.parametrize("tour", TOURS)
def test_every_page_looks_right(inspection: Inspection, complaints: Complaints, tour: str):
    populate()
    addresses = TOURS[tour].populate()
    if person := TOURS[tour].person:
        sign_in(inspection.page, person)

    for name, address in addresses.items():
        inspection.visit(name, address)

    assert inspection.problems == {}
    assert [said for said in complaints if not _repeats_the_status(said)] == []


def test_the_question_for_the_name_of_a_set_looks_right(inspection: Inspection):
    populate()
    address = TOURS["tenants and their inventory"].populate()["policies-of-tenant"]
    sign_in(inspection.page, "owen")
    inspection.page.goto(address)

    inspection.page.get_by_label("Select Windows baseline").check()
    inspection.page.get_by_role("button", name="Add to backup set").click()
    inspection.look_at("policies-back-up")

    assert inspection.page.get_by_role("heading", name="Add to backup set").is_visible()
    assert inspection.problems == {}


def _repeats_the_status(said: str) -> bool:
    """Chromium repeats in the console that a page was answered with 400, 404, 405 or 410."""
    return "Failed to load resource: the server responded with a status of 4" in said
