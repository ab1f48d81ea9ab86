"""The time of a role is the time of its entry."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_support_access"), ("tenancy", "0011_role_since")]

    operations = [
        migrations.RunSQL(
            "DROP TRIGGER audited ON memberships",
            audit_trigger(
                "memberships",
                name=through("user_id", "users", "username"),
                workspace="workspace_id",
            ).sql,
        ),
        audit_trigger(
            "memberships",
            name=through("user_id", "users", "username"),
            workspace="workspace_id",
            ignored=("role_since",),
        ),
    ]
