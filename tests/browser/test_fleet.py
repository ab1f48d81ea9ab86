"""The fleet in a browser: freshness at every width, printed pages, dark without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, PdfMargins, expect

from backups.models import BackupSet
from operations.models import OperationRun
from tests.browser.conftest import (
    OVERFLOW,
    SIZES,
    ConsoleErrors,
    check,
    save_screenshot,
    sign_in,
)

pytestmark = pytest.mark.django_db(transaction=True)
MARGIN = PdfMargins(top="1.25cm", right="1.25cm", bottom="1.25cm", left="1.25cm")


@pytest.mark.long
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


def test_pages_are_printed_light_and_without_navigation(
    fleet: None, open_context: Callable[..., BrowserContext]
) -> None:
    # The width of a page of A4 within its margins.
    page = open_context(viewport={"width": 700, "height": 1000}, color_scheme="dark").new_page()
    sign_in(page, "marc")
    run = OperationRun.objects.filter(outcome="partially_succeeded").newest_first()[0]
    backup_set = BackupSet.objects.filter(workspace__slug="fleet").newest_first()[0]
    addresses = {
        "run": run.get_absolute_url(),
        "set": backup_set.get_absolute_url(),
        "list": "/w/fleet/runs/",
        "overview": "/w/fleet/",
    }
    for name, address in addresses.items():
        page.goto(address)
        page.emulate_media(media="print")

        assert page.evaluate(OVERFLOW) <= 0, name
        expect(page.locator(".top-nav")).to_be_hidden()
        expect(page.locator(".btn:visible")).to_have_count(0)
        expect(page.locator("h1")).to_have_css("color", "rgb(29, 41, 57)")
        save_screenshot(page, f"print-{name}")
        assert page.pdf(format="A4", margin=MARGIN).startswith(b"%PDF")
        page.emulate_media(media="screen")


def test_the_system_selects_the_dark_theme_without_javascript(
    fleet: None, open_context: Callable[..., BrowserContext]
) -> None:
    colors = {}
    for scripts in (True, False):
        page = open_context(java_script_enabled=scripts, color_scheme="dark").new_page()
        sign_in(page, "marc")
        page.goto("/w/fleet/runs/")
        save_screenshot(page, f"dark-{'with' if scripts else 'without'}-javascript")
        colors[scripts] = [
            page.locator(selector).first.evaluate(
                "element => [getComputedStyle(element).color,"
                " getComputedStyle(element).backgroundColor,"
                " getComputedStyle(element).backgroundImage]"
            )
            for selector in ("body", "h1", ".panel", ".btn", ".form-select", ".state", "a.chip")
        ]

    assert colors[False] == colors[True]
    assert colors[False][0][1] == "rgb(16, 22, 31)"
