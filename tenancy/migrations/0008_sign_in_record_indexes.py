"""Retention finds old sign-ins by their time."""

from django.db import migrations

from tenancy.db import create_index_concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("axes", "0010_accessattemptexpiration"),
        ("tenancy", "0007_staff_changes"),
    ]

    operations = [
        create_index_concurrently(f"{table}_by_time", f"ON {table} (attempt_time)")
        for table in ("axes_accessattempt", "axes_accessfailurelog", "axes_accesslog")
    ]
