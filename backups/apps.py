from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "backups"
    verbose_name = "Backups"

    def ready(self) -> None:
        from backups import checks, receivers  # noqa: F401
        from operations.database_roles import (
            allow_functions,
            register_read_only_tables,
            withhold,
        )

        withhold(
            "DELETE, TRUNCATE",
            *("backup_sets", "backup_items", "policy_versions", "policy_exports"),
            *("backup_schedules", "backup_schedule_revisions", "policy_changes"),
            "policy_version_redactions",
        )
        withhold("UPDATE, DELETE, TRUNCATE", "backup_shared_items")
        register_read_only_tables(
            "policy_version_candidates", "backup_set_items", "backup_freshness"
        )
        allow_functions(
            "backup_sets_delete(bigint)",
            "backup_items_remove(bigint)",
            "backup_items_share(bigint, bigint[], varchar[], varchar[], timestamptz[])",
            "policy_versions_delete_unreferenced(bigint)",
            "policy_changes_remove(bigint, timestamptz, integer)",
            "configuration_secrets_delete_unneeded()",
            "search_rare_terms(text, text[])",
        )
