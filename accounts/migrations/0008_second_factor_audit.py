"""New and removed second factors are recorded."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_second_factor_guards"),
        ("audit", "0002_guards"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [
        audit_trigger(
            "mfa_authenticator",
            name=through("user_id", "users", "username"),
            workspace=through("user_id", "memberships", "workspace_id", key="user_id"),
            secrets=("data",),
            operations=("INSERT", "DELETE"),
        ),
    ]
