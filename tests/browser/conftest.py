"""Run the browser tests in Chromium: `CHROMIUM` or the one Debian installs.

Without a Chromium the tests are skipped, or fail if `CI=true`. With `SCREENSHOTS=folder` a screenshot
of every visited page is saved there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django import Settings

from tenancy.models import User
from tests.support.factories import PASSWORD

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's sync API runs a loop

#: For a machine with other work; the defaults are 5 and 30 s.
LIMIT_MS = 30_000
expect.set_options(timeout=LIMIT_MS)

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
#: The widths at which the pages of a flow are checked, with their heights.
SIZES = {390: 844, 820: 1180, 1440: 900}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What is visible but cannot be clicked: something covers it, or it is outside the window. On phones,
#: table heads are hidden.
UNREACHABLE = """
(() => {
    const hit = (box) => document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const isReachable = (target) => {
        target.scrollIntoView({block: "center", behavior: "instant"});
        return [...target.getClientRects()].some((box) => {
            const top = hit(box);
            return target.contains(top) || target.labels?.[0]?.contains(top);
        });
    };
    const targets = [...document.querySelectorAll("a[href], button, summary, select, input")]
        .filter((target) => target.checkVisibility({visibilityProperty: true}))
        .filter((target) => target.type !== "hidden" && !target.matches(":disabled, .skip-link"))
        .filter((target) => !(innerWidth < 768 && target.closest("thead")))
        .filter((target) => !isReachable(target))
        .map((target) => target.outerHTML.slice(0, 160));
    scrollTo({top: 0, behavior: "instant"});
    return targets;
})()
"""
#: axe is loaded once for all its runs on a page, and only what is read of its results leaves the page.
RUN_AXE = "(options) => axe.run(options).then((results) => results.violations)"
#: Root needs no-sandbox; the others keep Chromium from contacting other hosts.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Return the path of a Chromium, if one is installed."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("CI needs a Chromium: apt-get install chromium, or set CHROMIUM.")
    if path is None:
        pytest.skip("No Chromium is installed: apt-get install chromium, or set CHROMIUM.")
    with sync_playwright() as playwright:
        chromium_browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium_browser
        chromium_browser.close()


@pytest.fixture
def open_context(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that opens a browser context for the live server."""
    contexts: list[BrowserContext] = []

    def open_new_context(**options: Any) -> BrowserContext:
        options.setdefault("viewport", DESKTOP)
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(LIMIT_MS)
        contexts.append(context)
        return context

    yield open_new_context
    for context in contexts:
        context.close()


class ConsoleErrors(list[str]):
    """Errors and warnings of the browser's console, including violations of the CSP."""

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"page error: {error}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.append(f"{message.type}: {message.text}")


@pytest.fixture
def console_errors() -> ConsoleErrors:
    return ConsoleErrors()


def sign_in(page: Page, username: str) -> None:
    """Sign in with the form."""
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def serious_violations(page: Page, **options: Any) -> list[str]:
    """Return the serious accessibility violations that axe reports, with these options of axe."""
    options["resultTypes"] = ["violations"]
    if "runOnly" not in options:
        # The only rule of WCAG 2.2 AA; axe leaves it out by default.
        options["rules"] = {"target-size": {"enabled": True}} | options.get("rules", {})
    page.wait_for_load_state()
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in page.evaluate(RUN_AXE, options)
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def save_screenshot(page: Page, name: str) -> None:
    """Save a screenshot of the page in the folder SCREENSHOTS."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def check(page: Page, name: str) -> None:
    """Check that the page fits, that nothing covers its links and fields, and that it is accessible."""
    page.wait_for_load_state()
    assert page.evaluate(OVERFLOW) <= 0, name
    assert page.evaluate(UNREACHABLE) == [], name
    assert serious_violations(page) == [], name
    save_screenshot(page, name)


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
