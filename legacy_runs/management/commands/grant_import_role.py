"""`manage.py grant_import_role`: creates the database role that `import_legacy_runs` needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from operations.database_roles import create_or_update_role, grant_privileges

#: It reads what an import compares with, and adds rows only through the function.
_GRANTS = """
GRANT SELECT ON workspaces, tenants, operation_runs, operation_run_tombstones,
    inventory_sync_runs, entra_group_sync_runs, backup_schedule_runs TO {role};
GRANT EXECUTE ON FUNCTION legacy_runs_import(text, jsonb) TO {role};
"""


class Command(BaseCommand):
    help = (
        "Creates or updates the database role that import_legacy_runs connects as. Run it as the "
        "owner of the tables; drop the role after the import."
    )

    def handle(self, **options: Any) -> None:
        name, password = settings.IMPORT_DATABASE_ROLE, settings.IMPORT_DATABASE_PASSWORD
        if not password:
            raise CommandError("IMPORT_DATABASE_PASSWORD is not set. The role needs a password.")
        if name in (settings.APP_DATABASE_ROLE, settings.WEB_DATABASE_ROLE):
            raise CommandError("IMPORT_DATABASE_ROLE is the role of the application.")
        with transaction.atomic():
            create_or_update_role(name, password)
            grant_privileges(name, _GRANTS)
        self.stdout.write(f"The role {name} can import legacy runs. It cannot write otherwise.")
