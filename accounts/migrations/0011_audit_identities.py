"""Changes of identities and sign-in links are recorded."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through

USER_NAME = through("user_id", "users", "username")
WORKSPACES_OF_USER = through("user_id", "memberships", "workspace_id", key="user_id")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_sign_in_link_guards"),
        ("audit", "0002_guards"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        audit_trigger(
            "socialaccount_socialaccount",
            name=USER_NAME,
            workspace=WORKSPACES_OF_USER,
            part="uid",
            part_of=("users", "user_id"),
            ignored=("last_login", "extra_data"),
        ),
        audit_trigger(
            "sign_in_links",
            name=USER_NAME,
            workspace=WORKSPACES_OF_USER,
            secrets=("link_hash",),
        ),
    ]
