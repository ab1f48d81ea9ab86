"""Stages, approvals and decisions of restores are recorded."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards"), ("restores", "0004_row_guards")]

    operations = [
        audit_trigger(
            "restore_runs",
            workspace="workspace_id",
            tenant="tenant_id",
            ignored=("preview_run_id", "execute_run_id", "before_set_id"),
        ),
        audit_trigger(
            "restore_items",
            workspace=through("restore_id", "restore_runs", "workspace_id"),
            tenant=through("restore_id", "restore_runs", "tenant_id"),
            part="name",
            part_of=("restore_runs", "restore_id"),
            only=("decision",),
        ),
    ]
