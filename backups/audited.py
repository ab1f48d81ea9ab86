"""What the audit log records of schedules and backup sets: not what a tick or a backup writes."""

from collections.abc import Iterable, Mapping

from audit.registry import audit_event, audit_table, exclude
from backups import kinds
from backups.forms import ObjectiveForm, ScheduleForm
from operations.reasons import get_reason


def _kinds_text(keys: Iterable[str]) -> str:
    return ", ".join(kinds.label_of(key) for key in keys)


def _unlisted_text(reasons: Mapping[str, str]) -> str:
    return ", ".join(
        f"{kinds.label_of(key)}: {get_reason(code).label}" for key, code in reasons.items()
    )


def _left_out_text(numbers: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(
        f"{kinds.label_of(key)}: {sum(by_type.values())}" for key, by_type in numbers.items()
    )


audit_table(
    "backup_schedules",
    label="Schedule",
    name="name",
    workspace="workspace_id",
    tenant="tenant_id",
    ignored=["settled_until", "next_run_at", "rules_version", "spread_seconds", "updated_at"],
    form=ScheduleForm,
    labels={"misfire_grace": "Grace period"},
    texts={"kinds": _kinds_text},
)
audit_table(
    "backup_sets",
    label="Backup set",
    name="name",
    workspace="workspace_id",
    tenant="tenant_id",
    operations=["DELETE"],
    texts={
        "kinds": _kinds_text,
        "listed_kinds": _kinds_text,
        "unlisted": _unlisted_text,
        "left_out": _left_out_text,
    },
)
audit_table(
    "backup_objectives",
    label="Backup objective",
    name="hours",
    workspace="workspace_id",
    tenant="tenant_id",
    ignored=["updated_at"],
    form=ObjectiveForm,
)
exclude("backup_days", "A tick counts ended runs.")
exclude("backup_freshness", "Triggers write it.")
exclude("backup_schedule_revisions", "A record of a schedule that never changes.")
exclude("backup_time_zone_rules", "The tick writes the version in use.")
exclude("backup_items", "Backups write them.")
exclude("backup_shared_items", "Backups write them.")
exclude("policy_changes", "Backups write them.")
exclude("policy_versions", "Backups write them.")
exclude("policy_exports", "The run of an export says who started it.")
exclude("policy_version_candidates", "Triggers write them.")
exclude("policy_version_redactions", "Backups and a tick write them.")

audit_event("values_revealed", "Hidden values shown")
