"""Changes of accounts, permissions, workspaces, members and tenants are recorded."""

from django.db import migrations

from audit.db import audit_trigger
from audit.registry import through

WORKSPACES_OF_USER = through("user_id", "memberships", "workspace_id", key="user_id")
USER_NAME = through("user_id", "users", "username")


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_guards"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("tenancy", "0003_fixed_search_path"),
    ]

    operations = [
        audit_trigger(
            "users",
            name="username",
            workspace=through("id", "memberships", "workspace_id", key="user_id"),
            secrets=("password",),
            ignored=("last_login",),
        ),
        audit_trigger(
            "users_groups",
            name=USER_NAME,
            workspace=WORKSPACES_OF_USER,
            part=through("group_id", "auth_group", "name"),
            part_of=("users", "user_id"),
        ),
        audit_trigger(
            "users_user_permissions",
            name=USER_NAME,
            workspace=WORKSPACES_OF_USER,
            part=through("permission_id", "auth_permission", "codename"),
            part_of=("users", "user_id"),
        ),
        audit_trigger("auth_group", name="name"),
        audit_trigger(
            "auth_group_permissions",
            name=through("group_id", "auth_group", "name"),
            part=through("permission_id", "auth_permission", "codename"),
            part_of=("auth_group", "group_id"),
        ),
        audit_trigger("workspaces", name="name", workspace="id"),
        audit_trigger("memberships", name=USER_NAME, workspace="workspace_id"),
        audit_trigger("tenants", name="name", workspace="workspace_id", tenant="id"),
    ]
