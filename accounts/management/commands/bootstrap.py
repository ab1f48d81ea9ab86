"""`manage.py bootstrap`: creates the first user, the first workspace and its owner.

It asks for what neither an option nor a variable says, and can run again: what exists stays.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.urls import reverse
from django.utils.text import slugify

from accounts.bootstrap import Bootstrapped, bootstrap
from accounts.sign_in_links.services import create_link
from tenancy.models import User, Workspace

LINK_MINUTES = 60
STANDARD_INPUT = "-"
#: Longer than any password; a file that is larger is another file.
MAX_PASSWORD_BYTES = 4096


class Command(BaseCommand):
    help = "Creates the first user, the first workspace and its owner. It can run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", help="the name of the workspace")
        parser.add_argument("--slug", help="its name in addresses; made from the name by default")
        parser.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin")
        parser.add_argument("--username", help="the user name of the owner")
        parser.add_argument("--email", help="the email address of the owner")
        parser.add_argument(
            "--password-file",
            help="a file with the password, or - for standard input; without a password the command"
            f" prints a link that signs in once within {LINK_MINUTES} minutes",
        )
        parser.add_argument(
            "--url", default="", help="the address of the installation, https://runs.example.com"
        )
        parser.add_argument("--no-input", action="store_true", help="ask for nothing")

    def handle(self, **options: Any) -> None:
        reads_password = options["password_file"] == STANDARD_INPUT
        asks = not options["no_input"] and not reads_password and sys.stdin.isatty()
        name = _value("workspace", "Name of the workspace", options, asks=asks)
        username = _value("username", "User name of the owner", options, asks=asks)
        email = _value("email", "Email address (can be empty)", options, asks=asks, required=False)
        slug = options["slug"] or slugify(name)
        if not slug:
            raise CommandError("Name the workspace in addresses with --slug.")
        password = _password(options["password_file"], username, asks=asks)
        if password and not settings.LOCAL_PASSWORDS:
            raise CommandError("Passwords are disabled (LOCAL_PASSWORDS). Leave the password out.")
        account = User(username=username, email=email)
        workspace = Workspace(name=name, slug=slug, timezone=options["time_zone"])
        try:
            self._report(bootstrap(account, password, workspace), password, options["url"])
        except ValidationError as error:
            raise CommandError(_text(error)) from None
        except IntegrityError:
            raise CommandError(
                "Another process has just done this. Run the command again."
            ) from None

    def _report(self, done: Bootstrapped, password: str, url: str) -> None:
        owner, workspace = done.owner, done.workspace
        is_unused = not owner.has_usable_password() and owner.last_login is None
        made = "Created" if done.is_new_owner else "Not changed:"
        self.stdout.write(f"{made} the account {owner}.")
        made = "Created" if done.is_new_workspace else "Not changed:"
        self.stdout.write(f"{made} the workspace {workspace} ({workspace.slug}), owner {owner}.")
        if is_unused:
            path = reverse("sign_in_link", args=[create_link(owner, minutes=LINK_MINUTES)])
            self.stdout.write(
                f"Sign in with this link, once and within {LINK_MINUTES} minutes, then add a passkey"
                f" or connect an identity on the page Account:\n{url.rstrip('/')}{path}"
            )
        elif password and not done.is_new_owner:
            self.stdout.write("The account kept its password.")


def _value(
    name: str, question: str, options: dict[str, Any], *, asks: bool, required: bool = True
) -> str:
    """Return an option, else its variable, else the answer to a question."""
    value = options[name] or getattr(settings, f"BOOTSTRAP_{name.upper()}")
    if not value and asks:
        value = input(f"{question}: ")
    if not value.strip() and required:
        raise CommandError(f"Missing: --{name} or BOOTSTRAP_{name.upper()}.")
    return str(value).strip()


def _password(file: str | None, username: str, *, asks: bool) -> str:
    """Return the password, or an empty text for a sign-in link."""
    if file:
        return _read(file)
    if settings.BOOTSTRAP_PASSWORD:
        return str(settings.BOOTSTRAP_PASSWORD)
    if not (asks and settings.LOCAL_PASSWORDS) or User.objects.filter(username=username).exists():
        return ""
    password = getpass.getpass("Password (empty: print a sign-in link): ")
    if password and getpass.getpass("Repeat the password: ") != password:
        raise CommandError("The passwords are not the same.")
    return password


def _read(file: str) -> str:
    """Return the password in a file or standard input, without its line end.

    Raises:
        CommandError: it cannot be read, or it contains no password.
    """
    try:
        if file == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_PASSWORD_BYTES)
        else:
            with Path(file).open("rb") as source:
                content = source.read(MAX_PASSWORD_BYTES)
        password = content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"The password cannot be read from {file}.") from None
    if not password:
        raise CommandError(f"There is no password in {file}.")
    return password


def _text(error: ValidationError) -> str:
    """Return the messages, each with the field that it is about."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = error.message_dict.items()
    return " ".join(f"{field}: {' '.join(texts)}" for field, texts in fields)
