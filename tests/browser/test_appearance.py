"""Every page in light, in dark and on a phone has no console errors and no axe violations.

From a phone to a wide window, it does not scroll sideways, and nothing covers its links and fields."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page

from accounts.sign_in_errors import UNAVAILABLE
from tenancy.models import User
from tests.browser.conftest import (
    DESKTOP,
    OVERFLOW,
    PHONE,
    SIZES,
    UNREACHABLE,
    ConsoleErrors,
    save_screenshot,
    serious_violations,
    sign_in,
)
from tests.browser.pages import TOURS, populate
from tests.support.factories import PASSWORD
from tests.support.factories.accounts import add_app, code_of, make_sign_in_older

ColorScheme = Literal["light", "dark"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: The displays of a page: their viewport, color scheme, and what axe examines. The rules for colors
#: take half of its time, so it applies only them in dark, and all others on a phone.
COLOR_RULES = ("color-contrast", "link-in-text-block")
DISPLAYS: dict[str, tuple[Any, ColorScheme, dict[str, Any]]] = {
    "light": (DESKTOP, "light", {}),
    "dark": (DESKTOP, "dark", {"runOnly": COLOR_RULES}),
    "phone": (PHONE, "light", {"rules": {rule: {"enabled": False} for rule in COLOR_RULES}}),
}


#: What can be clicked on a page: addresses, and texts of buttons. On phones, table heads are hidden.
#: What only wide lists show stands on the page of the row.
ACTIONS = """
[...document.querySelectorAll("main a[href], main button")]
    .filter((action) => action.checkVisibility() && !(innerWidth < 768 && action.closest("thead")))
    .filter((action) => !action.closest(".wide-only, .widest-only, .run-table .cause"))
    .map((action) => action.getAttribute("href") ?? action.textContent.trim())
"""


class Inspection:
    """Visit pages, save screenshots of every display, and collect their problems."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: dict[str, Any] = {}

    def visit(self, name: str, address: str) -> None:
        self.page.goto(address)
        self.check(name)

    def check(self, name: str) -> None:
        self.page.wait_for_load_state()
        actions: dict[str, set[str]] = {}
        for display, (viewport, color_scheme, options) in reversed(DISPLAYS.items()):
            self.page.set_viewport_size(viewport)
            self.page.emulate_media(color_scheme=color_scheme)
            save_screenshot(self.page, f"{name}-{display}")
            if violations := serious_violations(self.page, **options):
                self.problems[f"{name} {display}"] = violations
            if self.page.evaluate(OVERFLOW) > 0:
                self.problems[f"{name} {display} scrolls sideways"] = True
            actions[display] = set(self.page.evaluate(ACTIONS))
        if missing := actions["light"] - actions["phone"]:
            self.problems[f"{name} lacks actions on phones"] = missing
        for width, height in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            if self.page.evaluate(OVERFLOW) > 0:
                self.problems[f"{name} scrolls sideways at {width} pixels"] = True
            if unreachable := self.page.evaluate(UNREACHABLE):
                self.problems[f"{name} has unreachable actions at {width} pixels"] = unreachable


@pytest.fixture
def inspection(open_context: Any, console_errors: ConsoleErrors) -> Inspection:
    # With motion, the colors would change gradually.
    page = open_context(reduced_motion="reduce").new_page()
    console_errors.watch(page)
    return Inspection(page)


@pytest.mark.long
@pytest.mark.parametrize("tour", TOURS)
def test_every_page_is_displayed_without_problems(
    inspection: Inspection, console_errors: ConsoleErrors, tour: str
):
    populate()
    addresses = TOURS[tour].populate()
    if user := TOURS[tour].user:
        sign_in(inspection.page, user)

    for name, address in addresses.items():
        inspection.visit(name, address)

    assert inspection.problems == {}
    assert [text for text in console_errors if not _repeats_status(text)] == []


def test_the_form_for_the_name_of_a_set_is_displayed_without_problems(inspection: Inspection):
    populate()
    address = TOURS["tenants and their inventory"].populate()["policies-of-tenant"]
    sign_in(inspection.page, "owen")
    inspection.page.goto(address)

    inspection.page.get_by_label("Select Windows baseline").check()
    inspection.page.get_by_role("button", name="Add to backup set").click()
    inspection.page.get_by_role("heading", name="Add to backup set").wait_for()
    inspection.check("policies-back-up")

    assert inspection.problems == {}


def test_the_pages_of_second_factors_are_displayed_without_problems(inspection: Inspection):
    """A sign-in with an app, the account page with it, new recovery codes, and a confirmation."""
    populate()
    olga, page = User.objects.get(username="olga"), inspection.page
    add_app(olga)
    page.goto("/sign-in/?next=/account/")
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").wait_for()
    inspection.check("second-factor")
    page.get_by_label("Code").fill("123")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("The code is wrong").wait_for()
    inspection.check("second-factor-wrong")
    page.get_by_label("Code").fill(code_of())
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/account/")
    inspection.check("account-with-app")
    make_sign_in_older(olga, 3600)
    page.get_by_role("button", name="Create recovery codes").click()
    page.get_by_label("Password of olga").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("The password is incorrect").wait_for()
    inspection.check("confirm-identity")
    page.get_by_label("Password of olga").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    inspection.check("recovery-codes")

    assert inspection.problems == {}


SIGN_IN_ENDS: dict[str, dict[str, Any]] = {
    "accounts/locked_out.html": {"minutes": 14},
    "too_many_sign_ins.html": {},
    "too_many_downloads.html": {},
    "405.html": {},
    "accounts/sign_in_failed.html": {
        "error": UNAVAILABLE,
        "reference": "7f3a9c",
        "user": SimpleNamespace(is_authenticated=False),
    },
}


@pytest.mark.parametrize("template", SIGN_IN_ENDS)
def test_the_pages_on_which_a_sign_in_ends_are_displayed_without_problems(
    inspection: Inspection, console_errors: ConsoleErrors, template: str
):
    inspection.page.goto("/sign-in/")
    inspection.page.set_content(render_to_string(template, SIGN_IN_ENDS[template]))
    inspection.check(template.rpartition("/")[2].removesuffix(".html"))

    assert inspection.problems == {}
    assert console_errors == []


def _repeats_status(text: str) -> bool:
    """Return whether the console only repeats the status 400, 404 or 410 of a page."""
    return "Failed to load resource: the server responded with a status of 4" in text
