"""The pages on which a sign-in ends or waits are displayed without problems."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string

from accounts.sign_in_errors import UNAVAILABLE
from tests.browser.conftest import ConsoleErrors
from tests.browser.test_appearance import Inspection, inspection

__all__ = ["inspection"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES: dict[str, dict[str, Any]] = {
    "accounts/locked_out.html": {"minutes": 14},
    "too_many_sign_ins.html": {},
    "accounts/sign_in_failed.html": {
        "error": UNAVAILABLE,
        "reference": "7f3a9c",
        "user": SimpleNamespace(is_authenticated=False),
    },
}


@pytest.mark.parametrize("template", PAGES)
def test_the_page_is_displayed_without_problems(
    inspection: Inspection, console_errors: ConsoleErrors, template: str
) -> None:
    inspection.page.goto("/sign-in/")
    inspection.page.set_content(render_to_string(template, PAGES[template]))
    inspection.check(template.rpartition("/")[2].removesuffix(".html"))

    assert inspection.problems == {}
    assert console_errors == []
