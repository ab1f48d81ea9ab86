"""Freshness in a browser: from a number on the overview to the tenants, at every width."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import SIZES, ConsoleErrors, check, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_a_number_on_the_overview_to_its_tenants(
    fleet: None, open_context: Callable[..., BrowserContext], console_errors: ConsoleErrors
) -> None:
    for width, height in SIZES.items():
        page = open_context(viewport={"width": width, "height": height}).new_page()
        console_errors.watch(page)
        sign_in(page, "marc")
        page.goto("/w/fleet/")
        check(page, f"fleet-overview-{width}")
        number = page.locator(".big-numbers a", has_text="Late")
        count = int(number.locator("strong").inner_text())
        assert count > 0

        number.click()

        expect(page.get_by_role("heading", name="Freshness")).to_be_visible()
        expect(page.locator("tr[data-row]")).to_have_count(count)
        check(page, f"fleet-late-{width}")
        page.goto("/w/fleet/freshness/")
        check(page, f"fleet-freshness-{width}")
        page.emulate_media(color_scheme="dark")
        page.reload()
        check(page, f"fleet-freshness-dark-{width}")
        page.goto("/w/fleet/")
        check(page, f"fleet-overview-dark-{width}")

    assert console_errors == []
