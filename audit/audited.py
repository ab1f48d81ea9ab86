"""The tables of accounts and workspaces, and the events of signing in."""

from audit.registry import audit_event, audit_table, exclude, through
from tenancy.forms import RoleForm, TenantForm, WorkspaceForm

_WORKSPACES_OF_USER = through("user_id", "memberships", "workspace_id", key="user_id")
_USER_NAME = through("user_id", "users", "username")

audit_table(
    "users",
    label="User",
    name="username",
    workspace=through("id", "memberships", "workspace_id", key="user_id"),
    secrets=["password"],
    ignored=["last_login"],
    labels={"username": "User name"},
)
audit_table(
    "users_groups",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    part=through("group_id", "auth_group", "name"),
    part_of=("users", "user_id"),
)
audit_table(
    "users_user_permissions",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    part=through("permission_id", "auth_permission", "codename"),
    part_of=("users", "user_id"),
)
audit_table(
    "account_emailaddress",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    part="email",
    part_of=("users", "user_id"),
)
audit_table("auth_group", label="Permission group", name="name")
audit_table(
    "auth_group_permissions",
    name=through("group_id", "auth_group", "name"),
    part=through("permission_id", "auth_permission", "codename"),
    part_of=("auth_group", "group_id"),
)
audit_table("workspaces", label="Workspace", name="name", workspace="id", form=WorkspaceForm)
audit_table(
    "memberships",
    label="Member",
    name=_USER_NAME,
    workspace="workspace_id",
    ignored=["role_since"],
    form=RoleForm,
)
audit_table(
    "approval_off_requests",
    label="Request to switch off approvals",
    name="requested_by_name",
    workspace="workspace_id",
)
audit_table("support_accesses", label="Support access", name="user_name", workspace="workspace_id")
audit_table(
    "tenants",
    label="Tenant",
    name="name",
    workspace="workspace_id",
    tenant="id",
    form=TenantForm,
)

exclude("account_emailconfirmation", "Links that confirm an address; the address is recorded.")
exclude("audit_entries", "The audit log.")
exclude("audit_links", "The audit log.")
exclude("staff_changes", "What owners see of changes that the audit log contains.")
exclude("auth_permission", "Migrations fill it.")
exclude("django_content_type", "Migrations fill it.")
exclude("django_admin_log", "A second record of edits that the audit log contains.")
exclude("django_session", "Sign-in and sign-out are events.")
for _table in ("accessattempt", "accessattemptexpiration", "accessfailurelog", "accesslog"):
    exclude(f"axes_{_table}", "Sign-ins, failed sign-ins and lockouts are events.")

audit_event("signed_in", "Signed in")
audit_event("signed_out", "Signed out")
audit_event("sign_in_failed", "Sign-in failed")
audit_event("sign_in_locked", "Sign-in locked")
audit_event("sign_in_unlocked", "Sign-in unlocked")
audit_event("retention", "Audit entries removed")
