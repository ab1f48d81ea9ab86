"""Changes of the email addresses of users are recorded."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through


class Migration(migrations.Migration):
    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("audit", "0003_accounts_and_workspaces"),
    ]

    operations = [
        audit_trigger(
            "account_emailaddress",
            name=through("user_id", "users", "username"),
            workspace=through("user_id", "memberships", "workspace_id", key="user_id"),
            part="email",
            part_of=("users", "user_id"),
        ),
    ]
