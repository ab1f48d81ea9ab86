"""Sign-in with a real OpenID provider in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from playwright.sync_api import BrowserContext, Page, Route

from accounts.invitations.models import Invitation
from tenancy.models import Workspace
from tenancy.roles import Role
from tests.browser.conftest import save_screenshot, serious_violations, sign_in
from tests.support.factories import WorkspaceFactory, create_member
from tests.support.factories.accounts import make_sign_in_older
from tests.support.openid_provider import TENANT, OpenIdProvider

pytestmark = pytest.mark.browser

OID = "7c0e3c3b-8f5f-4a35-b0a4-222222222222"


@pytest.fixture
def contoso(transactional_db: None) -> Workspace:
    return WorkspaceFactory(name="Contoso Services", slug="contoso")


def block_other_hosts(route: Route) -> None:
    """The provider's own page asks for a font on the internet."""
    if "localhost" in route.request.url:
        route.continue_()
    else:
        route.abort()


def pass_the_provider(page: Page, name: str, *, consents: bool = True) -> None:
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("x")
    page.get_by_role("button", name="Sign-in").click()
    if consents:
        page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_user_connects_an_identity_and_signs_in_with_it(
    contoso: Workspace,
    entra: OpenIdProvider,
    open_context: Callable[..., BrowserContext],
    scripts: bool,
) -> None:
    create_member(contoso, Role.OPERATOR, username="olga")
    entra.set_claims("olga", oid=OID, tid=TENANT, preferred_username="olga@contoso.com")
    options: dict[str, Any] = {"ignore_https_errors": True, "java_script_enabled": scripts}
    page = open_context(**options).new_page()
    page.route("**/*", block_other_hosts)
    sign_in(page, "olga")

    page.goto("/account/")
    page.get_by_role("button", name="Connect Microsoft").click()
    pass_the_provider(page, "olga")
    page.get_by_text("The identity is connected").wait_for()
    page.get_by_text("olga@contoso.com").wait_for()
    save_screenshot(page, "account-with-identity")

    other = open_context(**options).new_page()
    other.route("**/*", block_other_hosts)
    other.goto("/sign-in/?next=/account/")
    save_screenshot(other, "sign-in-with-provider")
    if scripts:
        assert serious_violations(other) == []
    other.get_by_role("button", name="Sign in with Microsoft").click()
    pass_the_provider(other, "olga")
    other.get_by_role("heading", name="Account").wait_for()
    if scripts:
        assert serious_violations(other) == []


def test_a_user_confirms_with_the_identity_and_finds_the_form_as_it_was(
    contoso: Workspace, entra: OpenIdProvider, open_context: Callable[..., BrowserContext]
) -> None:
    owner = create_member(contoso, Role.OWNER, username="owen")
    owner.set_unusable_password()
    owner.save()
    entra.set_claims("owen", oid=OID, tid=TENANT)
    SocialAccount.objects.create(user=owner, provider="entra", uid=f"{TENANT}/{OID}")
    page = open_context(ignore_https_errors=True).new_page()
    page.route("**/*", block_other_hosts)
    page.goto("/sign-in/?next=/w/contoso/invitations/new/")
    page.get_by_role("button", name="Sign in with Microsoft").click()
    pass_the_provider(page, "owen")
    page.get_by_label("Email").fill("nadia@example.com")
    page.get_by_label("Role").select_option("manager")
    make_sign_in_older(owner, 3600)

    page.get_by_role("button", name="Send invitation").click()
    page.get_by_role("button", name="Continue with Microsoft").wait_for()
    save_screenshot(page, "confirm-with-provider")
    assert serious_violations(page) == []
    page.get_by_role("button", name="Continue with Microsoft").click()
    pass_the_provider(page, "owen", consents=False)

    page.get_by_text("filled in again").wait_for()
    page.get_by_role("button", name="Send invitation").click()
    page.get_by_text("Invitation sent to nadia@example.com").wait_for()
    assert Invitation.objects.get().role == Role.MANAGER
