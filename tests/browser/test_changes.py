"""Changes in a browser: from the list to a comparison, and to the restore of a version."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import SIZES, ConsoleErrors, check, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.long
def test_from_a_change_to_the_restore_of_the_version_before(
    fleet: None, open_context: Callable[..., BrowserContext], console_errors: ConsoleErrors
) -> None:
    for width, height in SIZES.items():
        page = open_context(viewport={"width": width, "height": height}).new_page()
        console_errors.watch(page)
        sign_in(page, "marc")
        page.goto("/w/fleet/changes/")
        check(page, f"fleet-changes-{width}")
        page.emulate_media(color_scheme="dark")
        page.reload()
        check(page, f"fleet-changes-dark-{width}")
        page.emulate_media(color_scheme="light")
        page.reload()

        page.locator("tr[data-row]", has_text="state").locator("[data-row-link]").first.click()

        expect(page.get_by_role("heading", name=re.compile("Changes"))).to_be_visible()
        check(page, f"fleet-change-{width}")
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.get_by_label(re.compile("compared with"))).to_be_visible()
        page.get_by_role("link", name="Restore the version before").click()
        expect(page.locator("input[name=item]:checked")).to_have_count(1)
        page.go_back()
        page.locator(".crumbs a").last.click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        check(page, f"fleet-version-{width}")
        page.goto("/w/fleet/backup-sets/")
        check(page, f"fleet-sets-{width}")

    assert console_errors == []
