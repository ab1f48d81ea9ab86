"""A session that ends while a page is open: back to the same page, with what was entered."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from tenancy.models import Tenant
from tenancy.roles import Role
from tests.browser.conftest import ConsoleErrors, sign_in
from tests.support.factories import (
    PASSWORD,
    OperationRunFactory,
    TenantFactory,
    WorkspaceFactory,
    create_member,
)
from tests.support.factories.providers import ProviderConnectionFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RESTORED = "Your entries are filled in again"


@pytest.fixture
def fabrikam() -> Tenant:
    """A tenant of `contoso`, whose owner is owen."""
    contoso = WorkspaceFactory(name="Contoso Services", slug="contoso")
    create_member(contoso, Role.OWNER, username="owen")
    create_member(contoso, Role.OWNER, username="oda")
    tenant: Tenant = TenantFactory(workspace=contoso, name="Fabrikam")
    return tenant


@pytest.fixture
def page(open_context: Any, console_errors: ConsoleErrors, fabrikam: Tenant) -> Page:
    page: Page = open_context().new_page()
    console_errors.watch(page)
    sign_in(page, "owen")
    return page


def kept_entries(page: Page) -> str | None:
    """Return what the browser keeps once the scripts of the page have run."""
    page.wait_for_load_state()
    entries: str | None = page.evaluate("sessionStorage.getItem('runledger.entries')")
    return entries


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def sign_in_again(page: Page, username: str = "owen") -> None:
    """Sign in on the page that the browser was sent to."""
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def test_a_live_refresh_without_a_session_leads_to_sign_in_and_back(
    page: Page, console_errors: ConsoleErrors, fabrikam: Tenant
) -> None:
    OperationRunFactory(tenant=fabrikam, running=True)
    page.goto("/w/contoso/runs/?view=active")
    search = page.locator("[data-filter]")
    search.fill("olg")
    end_session(page)

    page.wait_for_url(f"**/sign-in/?next={quote('/w/contoso/runs/')}*")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in_again(page)

    assert page.url.endswith("/w/contoso/runs/?view=active")
    expect(search).to_have_value("olg")
    expect(page.get_by_text(RESTORED)).to_be_visible()
    page.reload()
    expect(page.get_by_text(RESTORED)).to_be_hidden()
    assert console_errors == []


def test_a_form_that_is_posted_without_a_session_is_filled_in_again(
    page: Page, console_errors: ConsoleErrors
) -> None:
    page.goto("/w/contoso/schedules/new/")
    name, kind = page.locator("#id_name"), page.locator("input[name=kinds]").first
    name.fill("Nightly <b>")
    kind.set_checked(not (was_checked := kind.is_checked()))
    before = page.locator("main select").evaluate_all("fields => fields.map(f => f.value)")
    page.locator("main select").last.select_option(index=1)
    chosen = page.locator("main select").evaluate_all("fields => fields.map(f => f.value)")
    end_session(page)

    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(f"**/sign-in/?next={quote('/w/contoso/schedules/new/')}")
    sign_in_again(page)

    expect(page.get_by_text(RESTORED)).to_be_visible()
    expect(name).to_have_value("Nightly <b>")
    expect(kind).to_be_checked(checked=not was_checked)
    values = page.locator("main select").evaluate_all("fields => fields.map(f => f.value)")
    assert values == chosen != before
    assert kept_entries(page) is None
    assert console_errors == []


def test_an_action_that_is_posted_without_a_session_leads_back_to_its_page(
    page: Page, console_errors: ConsoleErrors
) -> None:
    page.goto("/w/contoso/members/")
    end_session(page)

    page.get_by_role("button", name="Save role").first.click()
    sign_in_again(page)

    assert page.url.endswith("/w/contoso/members/")
    assert console_errors == []


def test_a_form_that_ends_with_an_error_page_is_filled_in_again(page: Page) -> None:
    page.goto("/w/contoso/tenants/new/")
    page.locator("#id_name").fill("Adventure Works")
    page.context.clear_cookies(name="csrftoken")
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("heading", name="This form has expired")).to_be_visible()

    page.get_by_role("button", name="Go back").click()

    expect(page.get_by_text(RESTORED)).to_be_visible()
    expect(page.locator("#id_name")).to_have_value("Adventure Works")
    assert kept_entries(page) is None


def test_entries_go_to_their_form_when_another_one_appears_before_it(page: Page) -> None:
    page.goto("/w/contoso/tenants/new/")
    page.locator("#id_name").fill("Adventure Works")
    cookies: Any = page.context.cookies()
    end_session(page)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(lambda url: "/sign-in/" in url)
    page.context.add_cookies(cookies)
    form, other = '<form method="post" class="panel form"', '<form method="post" id="other">'
    other += '<input type="hidden" name="object" value="1"><input name="name"></form>'

    def add_form(route: Route) -> None:
        response = route.fetch()
        assert form in response.text()
        route.fulfill(response=response, body=response.text().replace(form, other + form, 1))

    page.route("**/tenants/new/", add_form)
    page.goto("/w/contoso/tenants/new/")

    expect(page.locator("#id_name")).to_have_value("Adventure Works")
    expect(page.locator("#other [name=name]")).to_have_value("")


def test_a_reason_that_is_refused_is_asked_for_again(page: Page, fabrikam: Tenant) -> None:
    page.goto(fabrikam.get_absolute_url())
    form = page.locator("form", has=page.get_by_role("button", name="Suspend tenant"))
    page.locator("summary", has_text="Suspend tenant").click()
    form.get_by_label("Reason").fill("Ticket\u200b 4711")
    form.get_by_role("button").click()

    expect(page.get_by_text("Remove the invisible character U+200B")).to_be_visible()
    expect(form.get_by_label("Reason")).to_have_value("Ticket\u200b 4711")
    expect(form.get_by_label("Reason")).to_be_visible()
    form.get_by_label("Reason").fill("Ticket 4711")
    form.get_by_role("button").click()

    expect(page.get_by_text("suspended. No new runs start on it.")).to_be_visible()
    assert kept_entries(page) is None


def test_the_page_of_a_refused_reason_leads_to_sign_in_and_to_the_page_of_its_form(
    page: Page, fabrikam: Tenant
) -> None:
    page.goto(fabrikam.get_absolute_url())
    form = page.locator("form", has=page.get_by_role("button", name="Suspend tenant"))
    page.locator("summary", has_text="Suspend tenant").click()
    form.get_by_label("Reason").fill("Ticket\u200b 4711")
    form.get_by_role("button").click()
    page.wait_for_url("**/suspend/")
    form.get_by_label("Reason").fill("Ticket 4712")
    end_session(page)
    form.get_by_role("button").click()
    sign_in_again(page)

    assert page.url.endswith(fabrikam.get_absolute_url())
    expect(page.get_by_text("Opening that address changes nothing.")).to_be_visible()
    expect(page.get_by_text(RESTORED)).to_be_visible()
    expect(form.get_by_label("Reason")).to_have_value("Ticket 4712")


def test_secrets_are_not_kept(page: Page, fabrikam: Tenant) -> None:
    connection = ProviderConnectionFactory(tenant=fabrikam)
    page.goto(f"{connection.get_absolute_url()}credential/")
    page.get_by_label("Client secret").first.evaluate("field => field.checked = true")
    page.locator("input[type=password]").fill("hunter2-secret")
    page.locator("textarea").evaluate("field => field.value = 'hunter2-key'")
    page.locator("input[type=date]").fill("2031-05-06")
    end_session(page)

    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/sign-in/**")

    kept = kept_entries(page)
    assert kept
    assert "2031-05-06" in kept
    assert "hunter2" not in kept


def test_entries_are_not_shown_to_another_user(page: Page) -> None:
    page.goto("/w/contoso/tenants/new/")
    page.locator("#id_name").fill("A private idea")
    end_session(page)
    page.locator("main form button[type=submit]").first.click()

    sign_in_again(page, "oda")

    assert page.url.endswith("/w/contoso/tenants/new/")
    expect(page.locator("#id_name")).to_have_value("")
    assert kept_entries(page) is None


def test_a_saved_form_and_a_sign_out_keep_nothing(page: Page) -> None:
    page.goto("/w/contoso/settings/")
    page.locator("#id_name").fill("Contoso Renamed")
    page.get_by_role("button", name="Save settings").click()
    page.get_by_text("Workspace settings saved.").wait_for()
    assert kept_entries(page) is None

    page.locator("#id_name").fill("Never saved")
    page.locator("summary", has_text="owen").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out").wait_for()

    assert kept_entries(page) is None
