"""The lists that are exported as CSV."""

from __future__ import annotations

#: The lists that have an address for their export.
SEPARATE = {
    "run_list": "run_export",
    "freshness_list": "freshness_export",
    "audit_log": "audit_export",
}
LISTS = [
    *("run_list", "freshness_list", "audit_log", "incident_list", "member_list", "tenant_list"),
    *("connection_list", "policy_list", "group_list", "role_definition_list", "schedule_list"),
    *("backup_set_list", "export_list", "restore_list", "legacy_run_list", "tenant_run_list"),
]
