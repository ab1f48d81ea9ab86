"""`manage.py recount_runs`: counts the ended runs of the last two days again, for the overview."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    help = (
        "Counts the ended runs of the last two days again, from which the charts of the overview are "
        "made. The pages and the workers go on meanwhile."
    )

    def handle(self, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT operation_run_counts_rebuild()")
        self.stdout.write("The runs are counted.")
