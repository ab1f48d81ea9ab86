"""Every page in light, in dark and on a phone: no complaint of the browser, none of axe."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESK, PHONE, Complaints, keep_picture, sign_in
from tests.browser.pages import furnish

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


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_looks_right(open_context: Any, complaints: Complaints, look: str):
    runs = furnish()
    page = open_context(**LOOKS[look]).new_page()
    complaints.watch(page)
    problems: dict[str, Any] = {}

    def check(name: str, address: str) -> None:
        page.goto(address)
        page.wait_for_load_state("load")
        keep_picture(page, f"{name}-{look}")
        if found := serious(page):
            problems[name] = found
        if scrolls_sideways(page):
            problems[f"{name} scrolls sideways"] = True

    check("login", "/sign-in/")
    sign_in(page, "olga")
    check("overview", "/w/contoso/")
    check("overview-empty", "/w/northwind/")
    check("runs", "/w/contoso/runs/")
    check("runs-all", "/runs/?view=attention")
    check("runs-empty", "/w/northwind/runs/")
    for name, run in runs.items():
        check(f"run-{name}", f"/runs/{run.pk}/")

    assert problems == {}
    assert complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_what_goes_wrong_looks_right_too(open_context: Any, look: str):
    furnish()
    page = open_context(**LOOKS[look]).new_page()
    sign_in(page, "olga")
    problems = {}
    for name, address in {
        "not-found": "/w/nowhere/",
        "bad-filter": "/runs/?since=2026-02-30",
        "not-allowed": "/theme/",
    }.items():
        page.goto(address)
        keep_picture(page, f"{name}-{look}")
        if found := serious(page):
            problems[name] = found

    assert problems == {}
