"""The inventory mirrors the tenants, so the audit log leaves it out."""

from audit.registry import exclude

for _table in ("policies", "directory_groups", "directory_role_definitions"):
    exclude(_table, "Syncs write what Microsoft Graph lists.")
