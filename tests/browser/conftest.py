"""A real Chromium: `CHROMIUM` or the one Debian installs. Without one these tests are skipped,
unless `CI=true`, where its absence is a failure.

With `SCREENSHOTS=folder` every page that is looked at is also kept as a picture.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.factories import PASSWORD

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's sync API runs a loop

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
#: Root needs no-sandbox; the others keep Chromium from looking for other hosts.
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
    """The path of a Chromium, if there is one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("CI needs a Chromium: apt-get install chromium, or set CHROMIUM.")
    if path is None:
        pytest.skip("No Chromium here: apt-get install chromium, or set CHROMIUM.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_context(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """Open browser contexts that start at the live server; they close with the test."""
    opened: list[BrowserContext] = []

    def open_one(**options: Any) -> BrowserContext:
        options.setdefault("viewport", DESK)
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(10_000)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


class Complaints(list[str]):
    """What the browser's console said that it should not have: errors, and refusals of the CSP."""

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"page error: {error}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.append(f"{message.type}: {message.text}")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def sign_in(page: Page, username: str) -> None:
    """Sign in by the form, as a person does."""
    page.goto("/sign-in/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the page where SCREENSHOTS says."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
