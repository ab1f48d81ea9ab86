"""`manage.py invite WORKSPACE EMAIL`: prints the link with which a user joins a workspace.

It needs no mail server and no owner, so it is how the first owner of a workspace joins.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.urls import reverse

from accounts.invitations import services
from tenancy.models import Workspace
from tenancy.roles import Role


class Command(BaseCommand):
    help = "Creates an invitation and prints its link, which can be used once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workspace", help="the slug of the workspace")
        parser.add_argument("email", help="the email address of the new member")
        parser.add_argument("--role", choices=Role.values, default=Role.OWNER.value)
        parser.add_argument(
            "--url", default="", help="the address of the installation, https://runs.example.com"
        )

    def handle(self, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace {options['workspace']}.")
        try:
            validate_email(options["email"])
            _, token = services.invite(workspace, options["email"], Role(options["role"]), by=None)
        except ValidationError as error:
            raise CommandError(error.messages[0]) from None
        path = reverse("invitation_open", args=[token])
        self.stdout.write(f"{options['url'].rstrip('/')}{path}")
