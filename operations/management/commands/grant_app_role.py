"""`manage.py grant_app_role`: creates the database roles that cannot disable the guards."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from operations.database_roles import (
    create_or_update_role,
    grant_application_privileges,
    grant_web_privileges,
    limit_role,
)


class Command(BaseCommand):
    help = (
        "Creates or updates the database roles that worker and beat, and web, connect as. Run it as "
        "the owner of the tables after each migrate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="run the migrations first")

    def handle(self, **options: Any) -> None:
        app, web = settings.APP_DATABASE_ROLE, settings.WEB_DATABASE_ROLE
        password = settings.APP_DATABASE_PASSWORD
        if not password:
            raise CommandError("APP_DATABASE_PASSWORD is not set. The roles need a password.")
        if app == web:
            raise CommandError("WEB_DATABASE_ROLE is that of the workers. It needs its own limits.")
        if options["migrate"]:
            call_command("migrate", interactive=False, stdout=self.stdout)
        with transaction.atomic():
            create_or_update_role(app, password)
            grant_application_privileges(app)
            create_or_update_role(web, password)
            grant_web_privileges(web)
            limit_role(
                app,
                statement_seconds=settings.WORKER_STATEMENT_SECONDS,
                lock_seconds=settings.WORKER_LOCK_SECONDS,
            )
            limit_role(
                web,
                statement_seconds=settings.WEB_STATEMENT_SECONDS,
                lock_seconds=settings.WEB_LOCK_SECONDS,
            )
        self.stdout.write(
            f"The roles {app} and {web} can read and write rows. They cannot change the guards."
        )
