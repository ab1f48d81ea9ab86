from django.apps import AppConfig


class LegacyRunsConfig(AppConfig):
    name = "legacy_runs"
    verbose_name = "Legacy runs"

    def ready(self) -> None:
        from legacy_runs import checks  # noqa: F401
        from operations.database_roles import register_read_only_tables

        register_read_only_tables(
            "inventory_sync_runs", "entra_group_sync_runs", "backup_schedule_runs"
        )
