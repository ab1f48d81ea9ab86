from django.apps import AppConfig


class LegacyRunsConfig(AppConfig):
    name = "legacy_runs"
    verbose_name = "Legacy runs"

    def ready(self) -> None:
        from django.db.models import Exists, OuterRef

        from legacy_runs import checks  # noqa: F401
        from legacy_runs.models import LegacyRunEntry
        from operations.database_roles import register_read_only_tables
        from tenancy.context_processors import MENU_CONDITIONS

        entries = LegacyRunEntry.objects.filter(workspace=OuterRef("pk"))
        MENU_CONDITIONS["has_legacy_runs"] = lambda: Exists(entries)

        register_read_only_tables(
            "inventory_sync_runs", "entra_group_sync_runs", "backup_schedule_runs"
        )
