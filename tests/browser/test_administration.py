"""The pages of the administration in light and dark mode: accessible, and without errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import ConsoleErrors, serious_violations, sign_in
from tests.support.factories import TenantFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_pages_of_a_model_are_accessible(
    open_context: Callable[..., BrowserContext], console_errors: ConsoleErrors, color_scheme: Any
) -> None:
    UserFactory(username="sam", is_staff=True, is_superuser=True)
    tenant = TenantFactory()
    page = open_context(color_scheme=color_scheme).new_page()
    console_errors.watch(page)
    sign_in(page, "sam")

    problems = {}
    for address in ("", "tenancy/tenant/", f"tenancy/tenant/{tenant.pk}/change/"):
        page.goto(f"/admin/{address}")
        problems[address] = [*console_errors, *serious_violations(page)]
        console_errors.clear()  # axe adds styles, which the policy refuses.

    assert not any(problems.values()), problems
