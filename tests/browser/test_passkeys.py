"""Passkeys in a real Chromium, with its virtual authenticator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import BrowserContext, Page

from tenancy.models import User, Workspace
from tenancy.roles import Role
from tests.browser.conftest import ConsoleErrors, sign_in
from tests.support.factories import PASSWORD, create_member
from tests.support.factories.accounts import make_sign_in_older

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = "/account/second-factor/passkey/"


@pytest.fixture
def olga(workspace: Workspace) -> User:
    return create_member(workspace, Role.OWNER, username="olga")


class Device:
    """A browser with a virtual authenticator that stores passkeys and verifies its user."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.session = context.new_cdp_session(self.page)
        self.session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator = added["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        names = {"authenticatorId": self.authenticator}
        return list(self.session.send("WebAuthn.getCredentials", names)["credentials"])

    def set_user_verified(self, verified: bool) -> None:
        self.session.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.authenticator, "isUserVerified": verified},
        )

    def remove(self, credential: dict[str, Any]) -> None:
        names = {"authenticatorId": self.authenticator, "credentialId": credential["credentialId"]}
        self.session.send("WebAuthn.removeCredential", names)

    def replace(self, credential: dict[str, Any]) -> None:
        """Put an older copy of a passkey in its place."""
        self.remove(credential)
        names = {"authenticatorId": self.authenticator, "credential": credential}
        self.session.send("WebAuthn.addCredential", names)


@pytest.fixture
def device(open_context: Callable[..., BrowserContext]) -> Device:
    return Device(open_context())


def add_passkey(page: Page, name: str = "Laptop") -> None:
    page.goto(ADD)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add passkey").click()


def add_first_passkey(device: Device) -> None:
    sign_in(device.page, "olga")
    add_passkey(device.page)
    device.page.get_by_role("link", name="I have stored the codes").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/sign-in/")


def test_a_passkey_is_added_and_signs_in_without_a_password(
    device: Device, olga: User, console_errors: ConsoleErrors
) -> None:
    console_errors.watch(device.page)
    add_first_passkey(device)
    device.page.get_by_role("cell", name="Laptop Passkey").wait_for()
    device.page.context.clear_cookies()

    device.page.goto("/w/contoso/runs/")
    device.page.get_by_role("button", name="Sign in with a passkey").click()
    device.page.get_by_role("heading", name="Runs").wait_for()

    passkey = Authenticator.objects.get(user=olga)
    assert passkey.last_used_at is not None
    assert console_errors == []


def test_a_passkey_is_the_second_factor_after_a_password(device: Device, olga: User) -> None:
    add_first_passkey(device)
    sign_out(device.page)
    device.page.get_by_label("User name").fill("olga")
    device.page.get_by_label("Password").fill(PASSWORD)
    device.page.get_by_role("button", name="Sign in", exact=True).click()

    device.page.get_by_role("heading", name="Second factor").wait_for()
    device.page.get_by_role("button", name="Use a passkey").click()
    device.page.wait_for_url("**/w/contoso/")


#: Answers the question of the page with any passkey of the device, as a changed page could.
ANSWER_WITH_ANY = """async () => {
  const { publicKey } = JSON.parse(document.getElementById("passkey-options").textContent);
  publicKey.allowCredentials = [];
  const credential = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  });
  const form = document.querySelector("[data-passkey]").form;
  form.elements.credential.value = JSON.stringify(credential);
  form.submit();
}"""


def test_a_passkey_of_another_user_is_not_the_second_factor(
    device: Device, olga: User, workspace: Workspace
) -> None:
    create_member(workspace, Role.MANAGER, username="marc")
    add_first_passkey(device)
    device.remove(device.credentials()[0])
    sign_out(device.page)
    sign_in(device.page, "marc")
    add_passkey(device.page, "Phone")
    device.page.get_by_role("link", name="I have stored the codes").click()
    sign_out(device.page)

    device.page.get_by_label("User name").fill("olga")
    device.page.get_by_label("Password").fill(PASSWORD)
    device.page.get_by_role("button", name="Sign in", exact=True).click()
    device.page.get_by_role("heading", name="Second factor").wait_for()
    device.page.evaluate(ANSWER_WITH_ANY)

    device.page.get_by_text("The passkey was not accepted").wait_for()
    device.page.goto("/account/")
    assert "/sign-in/" in device.page.url


def test_a_user_who_is_not_verified_does_not_sign_in(device: Device, olga: User) -> None:
    add_first_passkey(device)
    sign_out(device.page)
    device.set_user_verified(False)

    device.page.get_by_role("button", name="Sign in with a passkey").click()

    device.page.get_by_text("The passkey was not used").wait_for()
    device.page.goto("/account/")
    assert "/sign-in/" in device.page.url


def test_a_copied_passkey_whose_counter_is_behind_is_refused(device: Device, olga: User) -> None:
    add_first_passkey(device)
    copy = device.credentials()[0]
    for _ in range(2):
        sign_out(device.page)
        device.page.get_by_role("button", name="Sign in with a passkey").click()
        device.page.wait_for_url("**/w/contoso/")
    sign_out(device.page)
    device.replace(copy)

    device.page.get_by_role("button", name="Sign in with a passkey").click()

    device.page.get_by_text("The passkey was not accepted").wait_for()


def test_a_removed_passkey_does_not_sign_in(device: Device, olga: User) -> None:
    add_first_passkey(device)
    device.page.get_by_role("button", name="Remove Laptop").click()
    device.page.get_by_text("Second factor removed").wait_for()
    sign_out(device.page)

    device.page.get_by_role("button", name="Sign in with a passkey").click()

    device.page.get_by_text("The passkey was not accepted").wait_for()


def test_a_disabled_account_does_not_sign_in_with_a_passkey(device: Device, olga: User) -> None:
    add_first_passkey(device)
    sign_out(device.page)
    User.objects.update(is_active=False)

    device.page.get_by_role("button", name="Sign in with a passkey").click()

    device.page.get_by_text("This account is disabled").wait_for()


def test_a_passkey_confirms_the_identity_and_what_was_entered_is_kept(
    device: Device, olga: User, workspace: Workspace
) -> None:
    add_first_passkey(device)
    device.page.goto("/w/contoso/invitations/new/")
    device.page.get_by_label("Email").fill("nadia@example.com")
    device.page.get_by_label("Role").select_option("manager")
    make_sign_in_older(olga, 3600)
    device.page.get_by_role("button", name="Send invitation").click()

    device.page.get_by_role("heading", name="Confirm your identity").wait_for()
    device.page.get_by_role("button", name="Use a passkey").click()

    device.page.wait_for_url("**/w/contoso/members/")
    invitation = workspace.invitations.get()
    assert (invitation.email, invitation.role) == ("nadia@example.com", "manager")
