"""`manage.py sign_in_link USER`: prints a link that signs the user in once.

It is for the day on which the identity provider does not work, or on which no one can sign in yet.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from accounts.sign_in_links.services import create_link
from tenancy.models import User

#: A link that is found later is worth nothing.
MAX_MINUTES = 60


class Command(BaseCommand):
    help = "Prints a link that signs a user in once, without password or identity provider."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="the user name of the account")
        parser.add_argument(
            "--minutes", type=int, default=15, help=f"how long it is valid, at most {MAX_MINUTES}"
        )
        parser.add_argument(
            "--url", default="", help="the address of the installation, https://runs.example.com"
        )

    def handle(self, **options: Any) -> None:
        if not 1 <= options["minutes"] <= MAX_MINUTES:
            raise CommandError(f"A link is valid for 1 to {MAX_MINUTES} minutes.")
        user = User.objects.filter(
            username=options["username"], is_active=True, is_service_account=False
        ).first()
        if user is None:
            raise CommandError(f"There is no active account {options['username']}.")
        token = create_link(user, minutes=options["minutes"])
        self.stdout.write(f"{options['url'].rstrip('/')}{reverse('sign_in_link', args=[token])}")
