"""Live updates, keyboard shortcuts, color themes, and the pages without JavaScript."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from operations.events import Event, append_events
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import Ending
from tenancy.models import Tenant
from tenancy.roles import Role
from tests.browser.conftest import ConsoleErrors, save_screenshot, sign_in
from tests.support.factories import (
    OperationRunFactory,
    OperationRunItemFactory,
    TenantFactory,
    WorkspaceFactory,
    create_member,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def fabrikam() -> Tenant:
    """A tenant of `contoso`, which olga manages."""
    contoso = WorkspaceFactory(name="Contoso Services", slug="contoso")
    create_member(contoso, Role.MANAGER, username="olga")
    tenant: Tenant = TenantFactory(workspace=contoso, name="Fabrikam")
    return tenant


def test_progress_and_end_are_shown_without_a_reload(
    open_context: Any, console_errors: ConsoleErrors, fabrikam: Tenant
):
    run = OperationRunFactory(tenant=fabrikam, running=True)
    OperationRunItemFactory(run=run, label="Baseline")
    page = open_context().new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto(f"/runs/{run.pk}/")
    bar = page.get_by_role("progressbar", name="Items processed")
    expect(bar).to_have_attribute("value", "12")
    link = page.locator("#items").get_by_role("link", name="Succeeded")
    link.focus()

    OperationRunService().increment_summary_counts(run.pk, processed=8, succeeded=8)
    expect(bar).to_have_attribute("value", "20")
    expect(link).to_be_focused()
    OperationRunService().increment_summary_counts(run.pk, processed=20, succeeded=20)
    OperationRunService().complete(run.pk)
    expect(page.get_by_role("heading", name="partially succeeded")).to_be_visible()

    expect(page.locator("#announcer")).to_have_text("Partially succeeded")
    expect(page.locator("main [hx-trigger]")).to_have_count(0)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    assert console_errors == []


def test_new_lines_follow_and_the_side_panel_is_live(
    open_context: Any, console_errors: ConsoleErrors, fabrikam: Tenant
):
    service = OperationRunService()
    run = OperationRunFactory(tenant=fabrikam)
    append_events([(run.pk, Event("created", "Requested by olga."))])
    page = open_context().new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto(f"/runs/{run.pk}/")
    expect(page.locator("#log-count")).to_have_text("1 line so far")

    service.claim(run.pk, "worker-1:42")
    side = page.get_by_role("complementary", name="About this run")
    expect(side.get_by_text("worker-1:42")).to_be_visible()
    reason = page.get_by_label("Reason")
    reason.press_sequentially("the wrong ")
    service.add_event(run.pk, Event("phase", "Reading policies", data={"after_ms": 5}))
    expect(page.locator(".stages").get_by_text("Reading policies")).to_be_visible()
    expect(page.locator(".log-lines li").filter(has_text="Reading policies")).to_be_visible()
    expect(page.locator("#log-count")).to_have_text("3 lines so far")
    expect(reason).to_be_focused()
    page.keyboard.type("tenant")
    expect(page.get_by_text("Updated")).to_be_visible()
    page.get_by_role("button", name="Cancel run").click()

    expect(page.locator(".stages").get_by_text("Reason: the wrong tenant")).to_be_visible()
    service.complete(run.pk, ending=Ending.CANCELLED)
    expect(page.locator("#log-count")).to_have_text("5 of 5 lines, complete")
    expect(page.locator("main [hx-trigger]")).to_have_count(0)
    expect(page.locator(".log-lines li")).to_have_count(5)
    assert console_errors == []


def test_a_new_run_appears_on_the_list_without_a_reload(
    open_context: Any, console_errors: ConsoleErrors, fabrikam: Tenant
):
    OperationRunFactory(tenant=fabrikam, running=True)
    page = open_context().new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/")
    rows = page.locator("tr[data-row]")
    expect(rows).to_have_count(1)

    OperationRunFactory(tenant=fabrikam, type="backup_schedule.retry")

    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Backup retry")
    assert console_errors == []


def test_relative_times_use_the_clock_of_the_server(open_context: Any, fabrikam: Tenant):
    page = open_context().new_page()
    page.add_init_script("Date.now = () => 0")
    sign_in(page, "olga")
    OperationRunFactory(
        tenant=fabrikam, succeeded=True, created_at=timezone.now() - dt.timedelta(seconds=5)
    )
    page.goto("/w/contoso/runs/")
    first = page.locator("tr[data-row] time").first.inner_text()

    expect(page.locator("tr[data-row] time").first).not_to_have_text(first)

    expect(page.locator("tr[data-row] time").first).to_have_text(re.compile(r"^\d+ (s|min) ago$"))


def test_the_keyboard_reaches_filter_rows_and_help(open_context: Any, fabrikam: Tenant):
    runs = OperationRunFactory.create_batch(3, tenant=fabrikam, succeeded=True)
    page = open_context().new_page()
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f"#run-{runs[1].pk}")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("checkbox", name=f"Select run {runs[1].pk}")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Tenant, initiator, cause or run number")).to_be_focused()


def test_a_menu_closes_behind_the_focus_and_on_escape(open_context: Any, fabrikam: Tenant):
    page = open_context().new_page()
    sign_in(page, "olga")
    menu = page.locator("details.workspace-menu")
    summary = menu.locator("summary")

    summary.press("Enter")
    page.keyboard.press("Tab")
    expect(menu.get_by_role("link", name="Contoso Services")).to_be_focused()
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(menu).not_to_have_attribute("open", "")
    summary.press("Enter")
    menu.get_by_role("link").last.press("Tab")

    expect(page.get_by_role("link", name="Search")).to_be_focused()
    expect(menu).not_to_have_attribute("open", "")


def test_cancelling_explains_what_happens(open_context: Any, fabrikam: Tenant):
    run = OperationRunFactory(tenant=fabrikam, running=True)
    page = open_context().new_page()
    sign_in(page, "olga")
    page.goto(f"/runs/{run.pk}/")

    page.get_by_role("button", name="Cancel run").click()

    expect(page.get_by_role("heading", name="is stopping")).to_be_visible()
    expect(page.get_by_text("Cancellation was requested by olga")).to_be_visible()
    expect(page.get_by_text("Processed items are not rolled back")).to_be_visible()


def test_colors_follow_the_system_until_the_user_selects_a_theme(
    open_context: Any, fabrikam: Tenant
):
    page = open_context(color_scheme="dark").new_page()
    sign_in(page, "olga")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")

    page.locator(".user-menu summary").click()
    save_screenshot(page, "menu-dark")
    page.get_by_role("button", name="Light").click()

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.goto("/runs/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_everything_works_without_javascript(open_context: Any, fabrikam: Tenant):
    failed = OperationRunFactory(tenant=fabrikam, failed=True)
    OperationRunFactory(tenant=fabrikam, succeeded=True)
    page = open_context(java_script_enabled=False).new_page()
    sign_in(page, "olga")

    page.goto("/w/contoso/runs/")
    page.get_by_label("Outcome").select_option("failed")
    page.get_by_role("button", name="Apply filter").click()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.get_by_role("link", name="Backup now").click()
    page.get_by_role("button", name="Acknowledge").click()

    expect(page.get_by_text("Acknowledged by olga").first).to_be_visible()
    assert OperationRun.objects.get(pk=failed.pk).acknowledged_by is not None


def test_an_unreachable_server_is_reported(open_context: Any, fabrikam: Tenant):
    run = OperationRunFactory(tenant=fabrikam, running=True)
    context = open_context()
    page = context.new_page()
    sign_in(page, "olga")
    page.goto(f"/runs/{run.pk}/")

    context.set_offline(True)
    expect(page.get_by_text("Runledger can't be reached")).to_be_visible()
    context.set_offline(False)

    expect(page.get_by_text("Runledger can't be reached")).to_be_hidden()


def test_htmx_uses_restrictive_settings(open_context: Any, fabrikam: Tenant):
    page = open_context().new_page()
    sign_in(page, "olga")

    settings = page.evaluate("htmx.config")

    assert settings["allowEval"] is False
    assert settings["selfRequestsOnly"] is True
    assert settings["includeIndicatorStyles"] is False
    assert settings["historyCacheSize"] == 0


def test_a_selection_survives_live_updates(
    open_context: Any, console_errors: ConsoleErrors, fabrikam: Tenant
):
    failed = OperationRunFactory(tenant=fabrikam, failed=True)
    OperationRunFactory(tenant=fabrikam, running=True)
    page = open_context().new_page()
    console_errors.watch(page)
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/")
    rows = page.locator("tr[data-row]")
    box = page.get_by_label(f"Select run {failed.pk}")
    box.check()

    OperationRunFactory(tenant=fabrikam, type="backup_schedule.retry")
    page.wait_for_timeout(5_000)
    expect(box).to_be_checked()
    expect(rows).to_have_count(2)
    save_screenshot(page, "runs-selected")
    box.uncheck()
    expect(rows).to_have_count(3)
    box.check()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("button", name="Acknowledge 1 run").click()

    expect(page.locator(".preview-counts")).to_contain_text("1 acknowledged")
    assert console_errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_many_runs_are_acknowledged_without_javascript(
    open_context: Any, fabrikam: Tenant, width: int
):
    for _ in range(3):
        OperationRunFactory(tenant=fabrikam, failed=True)
    viewport = {"width": width, "height": 844}
    page = open_context(java_script_enabled=False, viewport=viewport).new_page()
    sign_in(page, "olga")
    page.goto("/w/contoso/runs/?view=attention")
    save_screenshot(page, f"runs-attention-{width}")

    page.get_by_label("All 3 that match the filter").check()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("button", name="Acknowledge 3 runs").click()

    expect(page.locator(".preview-counts")).to_contain_text("3 acknowledged")
    page.get_by_role("link", name="Back", exact=True).click()
    expect(page.get_by_text("No run matches the filter.")).to_be_visible()
