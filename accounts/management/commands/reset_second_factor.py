"""`manage.py reset_second_factor USER`: removes the second factors of a user who has lost them.

Only this command does it, because an owner of one workspace could otherwise weaken the sign-in of a
user who is a member of others.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services as accounts
from accounts.notifications import notify
from accounts.second_factor import services
from tenancy.models import User


class Command(BaseCommand):
    help = "Removes the authenticator app, the passkeys and the recovery codes of a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        removed = services.reset(user)
        accounts.end_sessions(user)
        notify(user, "An administrator removed your second factors.")
        self.stdout.write(
            f"{user}: {removed} second factors removed, all sessions ended. The user signs in with the"
            " password and adds a new second factor."
        )
