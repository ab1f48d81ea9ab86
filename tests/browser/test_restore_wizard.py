"""The whole way of a restore in a real browser, with the stand-in behind it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from restores.models import RestoreRun
from tenancy.models import User
from tests.browser.conftest import Complaints, sign_in
from tests.restores.conftest import (  # noqa: F401
    Place,
    _executed_in_the_transaction_of_the_test,
    add_to_graph,
    back_up,
    executed,
    graph,
    place,
    stand_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def run_of(name: str) -> Any:
    """The run of the one restore there is."""
    return getattr(RestoreRun.objects.with_scope().get(), name)


def test_the_whole_wizard_with_a_second_person(
    place: Place,  # noqa: F811
    open_context: Any,
    complaints: Complaints,
    owner: User,
) -> None:
    """Filter, tick, take a whole kind, compare, decide, have it approved, confirm, see the end."""
    place.tenant.workspace.restores_need_approval = True
    place.tenant.workspace.save()
    item, location = place.items("compliance")[0], place.items("named_location")[0]
    place.change(item, description="changed by hand")
    place.delete(location)
    page, second = (open_context().new_page() for _ in range(2))
    for each, person in ((page, place.person), (second, owner)):
        complaints.watch(each)
        sign_in(each, person.username)

    page.goto(place.backup_set.get_absolute_url())
    page.get_by_role("link", name="Restore objects").click()
    page.get_by_label("Name or Graph id").fill(item.name)
    page.get_by_label("Name or Graph id").press("Enter")
    page.get_by_label(f"Select {item.name}").check()
    page.get_by_label("Name or Graph id").fill("nothing is called this")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("1 ticked object that this filter does not show stays ticked").wait_for()
    page.get_by_label(re.compile("named locations$")).check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("Comparing the backup").wait_for()
    executed(run_of("preview_run"))
    page.get_by_text("changed by hand").wait_for()
    page.get_by_label("Take the backup").check()
    page.get_by_role("button", name="Save decisions").click()
    page.get_by_text("Decided.").wait_for()
    second.goto(page.url)
    second.get_by_role("button", name="Approve this restore").click()
    second.get_by_text("Approved by").wait_for()
    page.reload()
    page.get_by_label("Type the tenant's name").fill(place.tenant.name)
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_text("Objects are being written").wait_for()
    executed(run_of("execute_run"))
    page.get_by_text("Everything that was to be written was written").wait_for()

    assert complaints == []
    assert place.objects("compliance")[item.graph_id].get("description") != "changed by hand"
    assert location.name in [
        each["displayName"] for each in place.objects("named_location").values()
    ]
