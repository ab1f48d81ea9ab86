"""`manage.py grant_app_role`: creates the database role that cannot disable the guards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from operations.database_roles import create_or_update_role, grant_application_privileges


class Command(BaseCommand):
    help = (
        "Creates or updates the database role that web, worker and beat connect as. Run it as the "
        "owner of the tables after each migrate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="run the migrations first")

    def handle(self, **options: Any) -> None:
        name, password = settings.APP_DATABASE_ROLE, settings.APP_DATABASE_PASSWORD
        if not password:
            raise CommandError("APP_DATABASE_PASSWORD is not set. The role needs a password.")
        if options["migrate"]:
            call_command("migrate", interactive=False, stdout=self.stdout)
        with transaction.atomic():
            create_or_update_role(name, password)
            grant_application_privileges(name)
        self.stdout.write(f"The role {name} can read and write rows. It cannot change the guards.")
