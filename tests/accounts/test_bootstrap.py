"""`manage.py bootstrap`: the first user, the first workspace and its owner, once."""

from __future__ import annotations

import io
import os
import pty
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEntry
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role
from tests.support.factories import UserFactory, create_member

pytestmark = pytest.mark.django_db

PASSWORD = "a good long passphrase"


def bootstrap(*arguments: str, workspace: str = "Contoso Ltd.", username: str = "anna") -> str:
    output = StringIO()
    names = ["--workspace", workspace, "--username", username]
    call_command("bootstrap", *names, "--no-input", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return str(path)


def test_the_owner_signs_in_with_the_password_and_opens_the_workspace(password_file: str) -> None:
    output = bootstrap("--password-file", password_file, "--email", "anna@example.com")
    client = Client()

    client.post("/sign-in/", {"username": "anna", "password": PASSWORD})
    answer = client.get("/")

    assert answer["Location"] == "/w/contoso-ltd/"
    assert client.get("/w/contoso-ltd/settings/").status_code == 200
    assert client.get("/admin/").status_code == 200
    assert PASSWORD not in output
    assert "link" not in output


def test_without_a_password_the_owner_signs_in_with_the_printed_link_once() -> None:
    output = bootstrap("--url", "https://runs.example.com")
    (link,) = [line for line in output.splitlines() if line.startswith("https://")]
    path = link.removeprefix("https://runs.example.com")
    client = Client()

    client.post(path)

    assert client.get("/")["Location"] == "/w/contoso-ltd/"
    assert Client().post(path).status_code == 404


def test_the_second_run_changes_nothing(password_file: str) -> None:
    bootstrap("--password-file", password_file)
    before = list(User.objects.values()), list(Workspace.objects.values())

    output = bootstrap()

    assert (list(User.objects.values()), list(Workspace.objects.values())) == before
    assert Membership.objects.get().role == Role.OWNER
    assert "Not changed: the account anna." in output
    assert "sign-in" not in output


def test_another_password_does_not_replace_that_of_an_existing_account(password_file: str) -> None:
    UserFactory(username="anna")

    output = bootstrap("--password-file", password_file)

    user = User.objects.get()
    assert not user.check_password(PASSWORD)
    assert not user.is_staff
    assert "kept its password" in output


def test_a_link_that_was_lost_is_replaced_until_the_first_sign_in() -> None:
    first, second = bootstrap(), bootstrap()
    client = Client()

    client.post(second.splitlines()[-1])

    assert first.splitlines()[-1] != second.splitlines()[-1]
    assert client.get("/account/").status_code == 200
    assert "/sign-in/link/" not in bootstrap()


def test_a_workspace_that_lost_its_owners_gets_one(workspace: Workspace) -> None:
    bootstrap("--slug", workspace.slug)

    assert workspace.memberships.get().role == Role.OWNER


def test_variables_replace_options(settings: Settings) -> None:
    settings.BOOTSTRAP_WORKSPACE, settings.BOOTSTRAP_USERNAME = "Fabrikam", "ben"
    settings.BOOTSTRAP_EMAIL, settings.BOOTSTRAP_PASSWORD = "ben@example.com", PASSWORD

    call_command("bootstrap", "--no-input", stdout=StringIO())

    membership = Membership.objects.select_related("user", "workspace").get()
    assert (str(membership.user), membership.workspace.slug) == ("ben", "fabrikam")
    assert membership.user.check_password(PASSWORD)
    assert membership.user.email == "ben@example.com"


def test_the_audit_log_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "bootstrap"])

    bootstrap()

    entries = AuditEntry.objects.filter(object_type__in=["users", "workspaces", "memberships"])
    assert {entry.origin for entry in entries} == {"command bootstrap"}
    assert len(entries) == 3


def test_a_password_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(f"{PASSWORD}\r\n".encode()))
    monkeypatch.setattr("sys.stdin", stdin)

    bootstrap("--password-file", "-")

    assert User.objects.get().check_password(PASSWORD)


def test_the_command_asks_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    here, terminal = pty.openpty()
    answers = f"Contoso\nanna\n\n{PASSWORD}\n{PASSWORD}\n"
    with os.fdopen(terminal, "r") as stdin, os.fdopen(here, "wb") as keyboard:
        monkeypatch.setattr("sys.stdin", stdin)
        # `getpass` reads the terminal of the process, which a test has not.
        monkeypatch.setattr("getpass.getpass", lambda _: stdin.readline().rstrip("\n"))
        keyboard.write(answers.encode())
        keyboard.flush()

        call_command("bootstrap", stdout=StringIO())

    assert User.objects.get().check_password(PASSWORD)
    assert Workspace.objects.get().slug == "contoso"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"username": ""}, "Missing: --username or BOOTSTRAP_USERNAME."),
        ({"workspace": " "}, "Missing: --workspace or BOOTSTRAP_WORKSPACE."),
        ({"workspace": "東京"}, "Name the workspace in addresses with --slug."),
        ({"username": "anna smith"}, "username: Enter a valid username"),
        ({"username": "a" * 151}, "username: Ensure this value has at most 150 characters"),
        ({"workspace": "w" * 201}, "at most 60 characters"),
    ],
)
def test_an_invalid_value_is_refused_and_nothing_is_stored(
    arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        bootstrap(**arguments)

    assert not User.objects.exists()
    assert not Workspace.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n", "There is no password"),
        (b"\xff\xfe", "cannot be read"),
        (b"password", "too common"),
        (b"anna-anna", "similar to the username"),
    ],
)
def test_an_invalid_password_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=message):
        bootstrap("--password-file", str(path), username="anna-anna")

    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time-zone", "Mars/Olympus"], "is not a time zone"),
        (["--slug", "no slug"], "slug: "),
        (["--email", "anna"], "email: "),
        (["--password-file", "/nonexistent/file"], "cannot be read"),
    ],
)
def test_an_invalid_option_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        bootstrap(*arguments)

    assert not User.objects.exists()


def test_the_workspace_of_other_owners_is_refused(workspace: Workspace, owner: User) -> None:
    with pytest.raises(CommandError, match="The workspace contoso has an owner"):
        bootstrap("--slug", "contoso")

    assert not User.objects.filter(username="anna").exists()


def test_a_member_who_is_no_owner_does_not_become_one(workspace: Workspace, owner: User) -> None:
    create_member(workspace, Role.READER, username="anna")

    with pytest.raises(CommandError, match="has an owner"):
        bootstrap("--slug", "contoso")

    assert Membership.objects.get(user__username="anna").role == Role.READER


def test_a_disabled_account_is_refused() -> None:
    UserFactory(username="anna", is_active=False)

    with pytest.raises(CommandError, match="The account anna is disabled"):
        bootstrap()


def test_a_password_is_refused_where_passwords_are_disabled(
    settings: Settings, password_file: str
) -> None:
    settings.LOCAL_PASSWORDS = False

    with pytest.raises(CommandError, match="Passwords are disabled"):
        bootstrap("--password-file", password_file)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_containers_that_start_together_create_one_of_each() -> None:
    refusals: list[str] = []

    def start() -> None:
        try:
            bootstrap()
        except CommandError as error:
            refusals.append(str(error))
        finally:
            connection.close()

    threads: list[Any] = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Membership.objects.get().user == User.objects.get()
    assert Workspace.objects.count() == 1
    assert all("Run the command again" in text for text in refusals)
    assert len(refusals) <= 1
