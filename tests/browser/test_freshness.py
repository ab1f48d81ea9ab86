"""Freshness in a browser: from a number on the overview to the tenants, at every width."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from tenancy.models import User
from tests.browser.conftest import ConsoleErrors, save_screenshot, serious_violations, sign_in
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = {390: 844, 820: 1180, 1440: 900}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def fleet(settings: Settings, tmp_path: Path) -> None:
    """The demo workspace with 36 tenants; olga signs in with the password of the tests."""
    settings.DEMO_DATA_ALLOWED = True
    settings.BASE_DIR = tmp_path
    settings.GRAPH_SANDBOX_URL = ""
    call_command("demo_data", stdout=StringIO())
    call_command("demo_fleet", "--tenants", "36", stdout=StringIO())
    marc = User.objects.get(username="marc")
    marc.set_password(PASSWORD)
    marc.save()


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


def check(page: Page, name: str) -> None:
    """Check that the page fits and is accessible."""
    assert page.evaluate(OVERFLOW) <= 0, name
    assert serious_violations(page) == [], name
    save_screenshot(page, name)
