"""Lists in a browser: the palette, the shortcuts, and the density of the list of runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tenancy.models import User
from tests.browser.conftest import ConsoleErrors, serious_violations, sign_in
from tests.browser.pages import populate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE = {"width": 1440, "height": 900}
VISIBLE_ROWS = """
[...document.querySelectorAll("tr[data-row]")]
    .filter((row) => row.getBoundingClientRect().bottom <= innerHeight).length
"""


def test_the_palette_opens_finds_and_leads_to_a_page(
    open_context: Callable[..., BrowserContext], console_errors: ConsoleErrors
) -> None:
    populate()
    page = open_context(viewport=WIDE).new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/")
    palette = page.get_by_role("dialog", name="Search in all workspaces")

    page.keyboard.press("Control+k")
    expect(palette).to_be_visible()
    page.keyboard.type("fabri")
    expect(palette.get_by_role("link", name="Fabrikam")).to_be_visible()
    assert serious_violations(page) == []
    page.keyboard.press("ArrowDown")
    expect(palette.get_by_role("link", name="Fabrikam")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Fabrikam")).to_be_visible()

    page.get_by_role("link", name="Search").click()
    expect(palette).to_be_visible()
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    User.objects.filter(username="olga").update(keyboard_shortcuts=False)
    page.reload()
    page.keyboard.press("Control+k")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert console_errors == []


def test_the_compact_list_shows_twenty_rows(
    open_context: Callable[..., BrowserContext], console_errors: ConsoleErrors
) -> None:
    populate()
    page = open_context(viewport=WIDE).new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/")

    page.get_by_text("Columns").first.click()
    page.get_by_role("checkbox", name="Ended", exact=True).check()
    page.get_by_role("radio", name="Compact").check()
    page.get_by_role("button", name="Apply", exact=True).click()

    page.locator("body.is-compact").wait_for()
    expect(page.get_by_role("columnheader", name="Ended")).to_be_visible()
    page.wait_for_load_state()
    assert page.evaluate(VISIBLE_ROWS) >= 20
    page.get_by_role("link", name="Duration", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Duration")
    assert console_errors == []
