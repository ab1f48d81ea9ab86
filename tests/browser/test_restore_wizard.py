"""The whole way of a restore in a real browser, with the Graph sandbox behind it."""

from __future__ import annotations

from typing import Any

import pytest

from operations.testing import run_now
from restores.models import RestoreRun
from tenancy.models import User
from tests.browser.conftest import Complaints, sign_in
from tests.support.restores import RestoreScenario

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def run_of(name: str) -> Any:
    """The run of the one restore there is."""
    return getattr(RestoreRun.objects.with_scope().get(), name)


def test_the_whole_wizard_with_a_second_person(
    scenario: RestoreScenario,
    open_context: Any,
    complaints: Complaints,
    owner: User,
) -> None:
    """Filter, tick, take a whole kind, compare, decide, have it approved, confirm, see the end."""
    scenario.tenant.workspace.restores_need_approval = True
    scenario.tenant.workspace.save()
    item, location = scenario.items("compliance")[0], scenario.items("named_location")[0]
    scenario.change(item, description="changed by hand")
    scenario.delete(location)
    page, second = (open_context().new_page() for _ in range(2))
    for each, person in ((page, scenario.operator), (second, owner)):
        complaints.watch(each)
        sign_in(each, person.username)

    page.goto(scenario.backup_set.get_absolute_url())
    page.get_by_role("link", name="Restore objects").click()
    page.get_by_label("Name or Graph ID").fill(item.name)
    page.get_by_label("Name or Graph ID").press("Enter")
    page.get_by_label(f"Select {item.name}").check()
    page.get_by_label("Name or Graph ID").fill("nothing is called this")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("1 selected object not shown by this filter stays selected").wait_for()
    page.get_by_label("All named locations (1)").check()
    page.get_by_role("button", name="Preview restore").click()
    page.get_by_text("Comparing the backup").wait_for()
    run_now(run_of("preview_run"))
    page.get_by_text("changed by hand").wait_for()
    page.get_by_label("Use backup").check()
    page.get_by_role("button", name="Save decisions").click()
    page.get_by_text("Decisions saved.").wait_for()
    second.goto(page.url)
    second.get_by_role("button", name="Approve restore").click()
    second.get_by_text("Approved by").wait_for()
    page.reload()
    page.get_by_label("Enter the tenant name").fill(scenario.tenant.name)
    page.get_by_role("button", name="Restore objects").click()
    page.get_by_text("Objects are being written").wait_for()
    run_now(run_of("execute_run"))
    page.get_by_text("All planned changes were written and verified").wait_for()

    assert complaints == []
    assert scenario.objects("compliance")[item.graph_id].get("description") != "changed by hand"
    assert location.name in [
        each["displayName"] for each in scenario.objects("named_location").values()
    ]
