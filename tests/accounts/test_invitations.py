"""Owners invite members by email; a link lets one user join, once, before it expires."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client

from accounts.invitations import services
from accounts.invitations.checks import invitation_days_are_valid
from accounts.invitations.models import Invitation
from accounts.invitations.services import InvitationNotValid
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import PASSWORD, UserFactory, WorkspaceFactory, create_member
from tests.support.factories.accounts import create_invitation
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NEW = "/w/contoso/invitations/new/"
MEMBERS = "/w/contoso/members/"
ACCEPT = "/invitation/"
NADIA = "nadia@example.com"
ACCOUNT = {"username": "nadia", "password1": "8-Otters-swim", "password2": "8-Otters-swim"}


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    return open_session(client, owner)


def invite(page: Client, email: str = NADIA, role: str = "operator") -> str:
    """Invite on the page; return the path of the link in the message."""
    answer = page.post(NEW, {"email": email, "role": role})
    assert answer.status_code == 302, answer.content.decode()
    return link_in(str(mail.outbox[-1].body))


def link_in(text: str) -> str:
    match = re.search(r"https?://[^/]+(/invitations/\S+/)", text)
    assert match, text
    return match[1]


def expire(invitation: Invitation | None = None) -> None:
    Invitation.objects.update(expires_at=Now() - dt.timedelta(seconds=1))


def role_of(user: User, workspace: Workspace) -> str | None:
    return (
        Membership.objects.filter(user=user, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )


# --- owners ---------------------------------------------------------------------------------------


def test_the_message_names_the_workspace_the_role_the_sender_and_the_end(page: Client) -> None:
    invite(page)

    message = mail.outbox[0]
    assert message.to == [NADIA]
    assert message.subject == "Invitation to Contoso Services in Runledger"
    for part in (
        "owen invites you",
        "“Contoso Services”",
        "Operator",
        "It can be used once, until",
    ):
        assert part in message.body


def test_only_a_hash_of_the_link_is_stored(page: Client) -> None:
    token = invite(page).split("/")[2]

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(invitations)::text FROM invitations")
        stored = cursor.fetchone()[0]
    assert len(token) >= 43
    assert token not in stored
    assert services.hash_token(token) in stored


def test_a_line_break_in_a_name_adds_no_header(page: Client, workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        # Otherwise the database refuses such a name.
        cursor.execute("ALTER TABLE workspaces DROP CONSTRAINT workspaces_name_is_visible")
    Workspace.objects.update(name="Contoso\r\nBcc: mallory@example.com")

    invite(page)

    assert "\n" not in mail.outbox[0].subject
    assert mail.outbox[0].recipients() == [NADIA]


def normalized(answer: Any) -> tuple[int, str, str]:
    """The answer without the address that was entered."""
    return (
        answer.status_code,
        answer["Location"],
        re.sub(r"\S+@example\.com", "", str(answer.content)),
    )


def test_an_owner_does_not_learn_whether_an_address_has_an_account(page: Client) -> None:
    """The answers, the messages and the page are the same for every kind of address."""
    elsewhere = WorkspaceFactory(slug="elsewhere")
    create_member(elsewhere, Role.OWNER, email="member@example.com")
    UserFactory(email="alone@example.com")
    UserFactory(email="closed@example.com", is_active=False)
    create_invitation(elsewhere, "invited@example.com")
    addresses = [f"{name}@example.com" for name in ("member", "alone", "closed", "invited", "none")]

    answers, pages = set(), set()
    for address in addresses:
        answers.add(normalized(page.post(NEW, {"email": address, "role": "reader"})))
        shown = page.get(MEMBERS).content.decode()
        assert f"Invitation sent to {address}" in shown
        row = re.search(rf"<tr>\s*<td[^>]*>\s*<bdi>{address}.*?</tr>", shown, re.DOTALL)
        assert row
        pages.add(
            re.sub(r"invitations/\d+|<input[^>]*>|<time.*?</time>", "", row[0].replace(address, ""))
        )
    bodies = {
        re.sub(r"/invitations/\S+|\d\d:\d\d(:\d\d)?", "", str(message.body))
        for message in mail.outbox
    }

    assert len(answers) == len(pages) == len(bodies) == 1


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"email": "nadia", "role": "reader"}, "valid email address"),
        ({"email": "", "role": "reader"}, "required"),
        ({"email": NADIA, "role": "emperor"}, "not one of the available choices"),
        ({"email": "nadia\x00@example.com", "role": "reader"}, "Null characters"),
        ({"email": f"{'n' * 250}@example.com", "role": "reader"}, "at most 254"),
        ({"email": "a@b.example\nBcc: c@d.example", "role": "reader"}, "valid email address"),
        ({"email": "RITA@example.com", "role": "owner"}, "member of this workspace already"),
        ({"email": "PENDING@example.com", "role": "owner"}, "already pending"),
    ],
)
def test_an_invalid_value_shows_an_error_and_sends_nothing(
    page: Client, workspace: Workspace, form: dict[str, str], message: str
) -> None:
    create_member(workspace, Role.READER, email="rita@example.com")
    create_invitation(workspace, "pending@example.com")

    answer = page.post(NEW, form)

    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert Invitation.objects.count() == 1
    assert mail.outbox == []


def test_an_expired_invitation_can_be_replaced_by_one_with_another_role(page: Client) -> None:
    invite(page, role="owner")
    expire()

    invite(page, role="reader")

    assert [each.role for each in Invitation.objects.pending()] == ["reader"]


def test_a_workspace_has_a_limited_number_of_pending_invitations(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MAX_PENDING", 1)
    invite(page)

    answer = page.post(NEW, {"email": "other@example.com", "role": "reader"})

    assert "1 invitations are pending" in answer.content.decode()


def test_a_mail_server_that_refuses_leaves_an_invitation_to_resend(
    page: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The port is closed, as if the mail server were down."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    answer = page.post(NEW, {"email": NADIA, "role": "reader"}, follow=True)

    assert "could not be sent" in answer.content.decode()
    assert "The email was not sent." in answer.content.decode()


def later() -> None:
    Invitation.objects.update(renewed_at=Now() - dt.timedelta(minutes=2))


def test_resending_replaces_the_link(page: Client, workspace: Workspace) -> None:
    first = invite(page)
    later()
    invitation = Invitation.objects.get()
    page.post(f"/w/contoso/invitations/{invitation.pk}/resend/")
    second = link_in(str(mail.outbox[-1].body))

    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 302


def test_an_invitation_is_resent_at_most_once_a_minute(page: Client) -> None:
    invite(page)

    answer = page.post(f"/w/contoso/invitations/{Invitation.objects.get().pk}/resend/", follow=True)

    assert "less than a minute ago" in answer.content.decode()
    assert len(mail.outbox) == 1


def test_a_revoked_invitation_is_not_accepted(page: Client, workspace: Workspace) -> None:
    link = invite(page)
    page.post(f"/w/contoso/invitations/{Invitation.objects.get().pk}/revoke/")

    assert Client().get(link).status_code == 404
    assert NADIA not in page.get(MEMBERS).content.decode().split("messages")[-1].split("<table")[-1]


def test_a_reader_sees_no_invitation(page: Client, reader: User) -> None:
    invite(page)

    shown = open_session(Client(), reader).get(MEMBERS).content.decode()

    assert NADIA not in shown


# --- the invited user -----------------------------------------------------------------------------


def test_a_new_user_creates_an_account_and_joins(page: Client, workspace: Workspace) -> None:
    browser = Client()
    opened = browser.get(invite(page), follow=True)
    answer = browser.post(ACCEPT, ACCOUNT)

    assert "Join <bdi>Contoso Services</bdi>" in opened.content.decode()
    assert answer["Location"] == "/w/contoso/"
    nadia = User.objects.get(username="nadia")
    assert (nadia.email, role_of(nadia, workspace)) == (NADIA, Role.OPERATOR)
    assert nadia.check_password(ACCOUNT["password1"])
    assert browser.get("/w/contoso/").status_code == 200
    assert not nadia.is_staff
    assert not nadia.is_superuser


def test_a_user_with_an_account_signs_in_and_joins(page: Client, workspace: Workspace) -> None:
    nadia = UserFactory(username="nadia", email="other@example.com")
    browser = Client()
    browser.get(invite(page))
    form = {"username": "nadia", "password": PASSWORD, "next": ACCEPT}

    signed_in = browser.post("/sign-in/", form, follow=True)
    browser.post(ACCEPT)

    assert "You are signed in as" in signed_in.content.decode()
    assert "other@example.com" in signed_in.content.decode()
    assert role_of(nadia, workspace) == Role.OPERATOR


def test_opening_a_link_changes_nothing(page: Client, stranger: User) -> None:
    """A mail scanner that opens every link does not use the invitation."""
    link = invite(page)

    open_session(Client(), stranger).get(link, follow=True)

    assert Invitation.objects.open().count() == 1


def test_the_address_of_the_page_does_not_contain_the_token(page: Client) -> None:
    answer = Client().get(invite(page))

    assert answer["Location"] == ACCEPT


def test_a_link_is_used_once(page: Client, workspace: Workspace, stranger: User) -> None:
    link = invite(page)
    first, second = Client(), open_session(Client(), stranger)
    for browser in (first, second):
        browser.get(link)

    first.post(ACCEPT, ACCOUNT)
    answer = second.post(ACCEPT)

    assert answer.status_code == 404
    assert role_of(stranger, workspace) is None
    assert Client().get(link).status_code == 404


def invalid_links(page: Client, workspace: Workspace, owner: User) -> dict[str, str]:
    links = {"unknown": "/invitations/unknown-token/", "long": f"/invitations/{'x' * 5000}/"}
    links["expired"] = invite(page, "a@example.com")
    expire()
    links["revoked"] = invite(page, "b@example.com")
    services.revoke(Invitation.objects.open().get(), by=owner)
    return links


def test_every_link_that_is_not_valid_has_the_same_answer(
    page: Client, workspace: Workspace, owner: User
) -> None:
    answers = {
        name: Client().get(link) for name, link in invalid_links(page, workspace, owner).items()
    }

    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.content for answer in answers.values()}) == 1
    assert not any(settings.SESSION_COOKIE_NAME in answer.cookies for answer in answers.values())


@pytest.mark.parametrize("change", ["demote", "remove", "deactivate", "delete"])
def test_an_invitation_ends_with_the_ownership_of_its_sender(
    page: Client, workspace: Workspace, owner: User, change: str
) -> None:
    create_member(workspace, Role.OWNER)
    link = invite(page)
    membership = Membership.objects.get(user=owner, workspace=workspace)
    if change == "demote":
        Membership.objects.filter(pk=membership.pk).update(role=Role.MANAGER)
    elif change == "remove":
        membership.delete()
    elif change == "deactivate":
        User.objects.filter(pk=owner.pk).update(is_active=False)
    else:
        owner.delete()

    assert Client().get(link).status_code == 404


def test_a_member_keeps_the_role_and_the_invitation_stays_pending(
    page: Client, workspace: Workspace, reader: User
) -> None:
    browser = open_session(Client(), reader)
    browser.get(invite(page, role="owner"))

    answer = browser.post(ACCEPT, follow=True)

    assert "already a member" in answer.content.decode()
    assert role_of(reader, workspace) == Role.READER
    assert Invitation.objects.open().count() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"username": "OWEN"}, "already exists"),
        ({"username": "na dia"}, "valid username"),
        ({"username": ""}, "required"),
        ({"password2": "9-Otters-swim"}, "match"),
        ({"password1": "nadia", "password2": "nadia"}, "too short"),
        ({"username": "nadia\x00"}, "Null characters"),
    ],
)
def test_an_invalid_account_is_not_created(
    page: Client, owner: User, change: dict[str, str], message: str
) -> None:
    browser = Client()
    browser.get(invite(page))

    answer = browser.post(ACCEPT, ACCOUNT | change)

    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert not User.objects.filter(email=NADIA).exists()


def test_without_an_opened_link_there_is_nothing_to_accept(client: Client, reader: User) -> None:
    assert client.get(ACCEPT).status_code == client.post(ACCEPT, ACCOUNT).status_code == 404
    assert open_session(client, reader).post(ACCEPT).status_code == 404


# --- races ----------------------------------------------------------------------------------------


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_users_who_accept_at_the_same_time_one_joins(workspace: Workspace) -> None:
    _, token = create_invitation(workspace)
    users = [UserFactory(), UserFactory()]

    def accept(user: User) -> str:
        try:
            services.accept(token, user)
        except InvitationNotValid:
            return "not valid"
        return "joined"

    with racing_threads(2) as threads:
        results = threads.race([lambda: accept(users[0]), lambda: accept(users[1])])

    assert sorted(results) == ["joined", "not valid"]
    assert workspace.memberships.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_who_accepts_waits_for_an_owner_who_ends_the_link(
    workspace: Workspace, owner: User, action: str
) -> None:
    invitation, token = create_invitation(workspace, by=owner)
    later()
    user = UserFactory()
    pids: list[int] = []

    def accept() -> str:
        pids.append(backend_pid())
        try:
            services.accept(token, user)
        except InvitationNotValid:
            return "not valid"
        return "joined"

    with racing_threads(1) as threads:
        with transaction.atomic():
            end: Callable[..., object] = getattr(services, action)
            end(invitation, by=owner)
            future = threads.submit(accept)
            while not pids:
                pass
            wait_until_blocked(pids[0], by=backend_pid())
        result = future.result(timeout=60)

    assert result == "not valid"
    assert role_of(user, workspace) is None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_owners_invite_an_address_at_the_same_time(workspace: Workspace) -> None:
    owners = [create_member(workspace, Role.OWNER) for _ in range(2)]

    def send(by: User) -> str:
        try:
            create_invitation(workspace, by=by)
        except ValidationError as error:
            return error.messages[0]
        return ""

    with racing_threads(2) as threads:
        results = threads.race([lambda: send(owners[0]), lambda: send(owners[1])])

    assert sorted(map(bool, results)) == [False, True]
    assert Invitation.objects.pending().count() == 1


# --- the command ----------------------------------------------------------------------------------


def test_the_command_invites_the_first_owner(workspace: Workspace) -> None:
    output = StringIO()

    call_command("invite", "contoso", NADIA, "--url=https://runs.example.com/", stdout=output)
    browser = Client()
    browser.get(link_in(output.getvalue()))
    browser.post(ACCEPT, ACCOUNT)

    assert output.getvalue().startswith("https://runs.example.com/invitations/")
    assert role_of(User.objects.get(username="nadia"), workspace) == Role.OWNER
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", NADIA], "no workspace nowhere"),
        (["contoso", "nadia"], "valid email"),
        (["contoso", "pending@example.com"], "already pending"),
    ],
)
def test_the_command_reports_what_is_wrong(
    workspace: Workspace, arguments: list[str], message: str
) -> None:
    create_invitation(workspace, "pending@example.com")

    with pytest.raises(CommandError, match=message):
        call_command("invite", *arguments)


@pytest.mark.parametrize(("days", "count"), [(0, 1), (1, 0), (31, 0), (32, 1)])
def test_a_lifetime_that_the_database_refuses_prevents_the_start(
    settings: Any, days: int, count: int
) -> None:
    settings.INVITATION_DAYS = days

    assert len(invitation_days_are_valid()) == count
