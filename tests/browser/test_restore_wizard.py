"""The whole way of a restore in a real browser, with the stand-in behind it."""

from __future__ import annotations

from typing import Any

import pytest

from restores.models import RestoreRun
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


def test_a_changed_policy_is_put_back(
    place: Place,  # noqa: F811
    open_context: Any,
    complaints: Complaints,
) -> None:
    item = place.items("compliance")[0]
    place.change(item, description="changed by hand")
    page = open_context().new_page()
    complaints.watch(page)
    sign_in(page, place.person.username)

    page.goto(place.backup_set.get_absolute_url())
    page.get_by_role("link", name="Restore…").click()
    page.get_by_label(f"Select {item.name}").check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("Comparing the backup").wait_for()
    executed(run_of("preview_run"))
    page.get_by_text("changed by hand").wait_for()
    page.get_by_label("Take the backup").check()
    page.get_by_role("button", name="Save decisions").click()
    page.get_by_label("Type the tenant's name").fill(place.tenant.name)
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_text("Objects are being written").wait_for()
    executed(run_of("execute_run"))
    page.get_by_text("Everything that was to be written was written").wait_for()

    assert complaints == []
    assert place.objects("compliance")[item.graph_id].get("description") != "changed by hand"
