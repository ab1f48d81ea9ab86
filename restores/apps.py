from django.apps import AppConfig


class RestoresConfig(AppConfig):
    name = "restores"
    verbose_name = "Restores"

    def ready(self) -> None:
        from operations.database_roles import withhold
        from restores import checks  # noqa: F401

        withhold("DELETE, TRUNCATE", "restore_runs", "restore_items")
        withhold("DELETE, TRUNCATE", "approval_off_requests", "staff_changes", "support_accesses")
