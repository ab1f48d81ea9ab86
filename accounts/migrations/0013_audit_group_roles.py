"""Changes of the roles of groups are recorded."""

from django.db import migrations

from audit.db import audit_trigger


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_group_roles"), ("audit", "0002_guards")]

    operations = [
        audit_trigger("group_roles", name="group", workspace="workspace_id"),
    ]
