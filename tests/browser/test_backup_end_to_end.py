"""An operator starts a backup in the browser and follows it to its end, with every process real."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from operations.models import OperationRun
from tenancy.models import User, Workspace
from tests.browser.conftest import ConsoleErrors, serious_violations, sign_in
from tests.support.customer import MANY, Customer, MakeCustomer
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_operator_starts_a_backup_and_follows_it_to_its_end(  # noqa: PLR0917
    open_context: Any,
    console_errors: ConsoleErrors,
    make_customer: MakeCustomer,
    workspace: Workspace,
    stack: Stack,
    operator: User,
    scheme: str,
) -> None:
    customer = make_customer(workspace, sizes=MANY)
    customer.fault("slow", kind="batch", ms=2500)
    stack.start_worker()
    page = open_context(color_scheme=scheme).new_page()
    console_errors.watch(page)
    sign_in(page, operator.username)

    page.get_by_role("link", name="Schedules").first.click()
    page.get_by_role("button", name=re.compile("Back up now")).first.click()

    expect(page).to_have_url(re.compile(r"/runs/\d+/$"))
    bar = page.get_by_role("progressbar", name="Items processed")
    expect(bar).to_have_attribute("value", re.compile(r"^[1-9]\d*$"))
    first_value = bar.get_attribute("value")
    expect(bar).not_to_have_attribute("value", str(first_value))
    assert serious_violations(page) == []
    customer.graph.control.clear(customer.id)
    expect(page.get_by_role("heading", name="succeeded")).to_be_visible()
    expect(page.locator("main [hx-trigger]")).to_have_count(0)
    assert serious_violations(page) == []
    assert console_errors == []
    assert OperationRun.objects.get().outcome == "succeeded", stack.logs()


def test_a_second_start_leads_to_the_active_run(
    open_context: Any, customer: Customer, operator: User, stack: Stack
) -> None:
    page = open_context().new_page()
    sign_in(page, operator.username)
    for _ in range(2):
        page.goto("/w/contoso/schedules/")
        page.get_by_role("button", name=re.compile("Back up now")).first.click()
        page.wait_for_url(re.compile(r"/runs/\d+/$"))

    assert page.get_by_text("is already queued").is_visible()
    assert OperationRun.objects.count() == 1
