"""A complete restore in the browser, with the Graph sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from operations.testing import run_now
from restores.models import RestoreRun
from tenancy.models import User
from tests.browser.conftest import ConsoleErrors, sign_in
from tests.support.restores import RestoreScenario

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def restore_run(name: str) -> Any:
    """Return a run of the only restore."""
    return getattr(RestoreRun.objects.with_scope().get(), name)


def test_a_restore_with_approval_by_a_second_member(
    scenario: RestoreScenario,
    open_context: Any,
    console_errors: ConsoleErrors,
    owner: User,
) -> None:
    """Filter, select, select a whole kind, compare, decide, approve, confirm, and see the results."""
    scenario.tenant.workspace.restores_need_approval = True
    scenario.tenant.workspace.save()
    item, location = scenario.items("compliance")[0], scenario.items("named_location")[0]
    scenario.change(item, description="changed by hand")
    scenario.delete(location)
    page, approver_page = (open_context().new_page() for _ in range(2))
    for member_page, user in ((page, scenario.operator), (approver_page, owner)):
        console_errors.watch(member_page)
        sign_in(member_page, user.username)

    page.goto(scenario.backup_set.get_absolute_url())
    page.get_by_role("link", name="Restore objects").click()
    page.get_by_label("Name or Graph ID").fill(item.name)
    page.get_by_label("Name or Graph ID").press("Enter")
    page.get_by_label(f"Select {item.name}").check()
    page.get_by_label("Name or Graph ID").fill("no such object")
    page.get_by_role("button", name="Apply filter").click()
    page.get_by_text("1 selected object not shown by this filter stays selected").wait_for()
    page.get_by_label("All named locations (1)").check()
    page.get_by_role("button", name="Preview restore").click()
    page.get_by_text("Comparing the backup").wait_for()
    run_now(restore_run("preview_run"))
    page.get_by_text("changed by hand").wait_for()
    page.get_by_label("Use backup").check()
    page.get_by_role("button", name="Save decisions").click()
    page.get_by_text("Decisions saved.").wait_for()
    approver_page.goto(page.url)
    approver_page.get_by_role("button", name="Approve restore").click()
    approver_page.locator("#restore").get_by_text("Approved by").wait_for()
    page.reload()
    page.get_by_label("Enter the tenant name").fill(scenario.tenant.name)
    page.get_by_role("button", name="Restore objects").click()
    page.get_by_text("Objects are being written").wait_for()
    run_now(restore_run("execute_run"))
    page.get_by_text("All planned changes were written and verified").wait_for()

    assert console_errors == []
    assert scenario.objects("compliance")[item.graph_id].get("description") != "changed by hand"
    assert location.name in [
        entry["displayName"] for entry in scenario.objects("named_location").values()
    ]
