from django.apps import AppConfig


class RestoresConfig(AppConfig):
    name = "restores"
    verbose_name = "Restores"

    def ready(self) -> None:
        from operations.database_roles import withhold

        withhold("DELETE, TRUNCATE", "restore_runs", "restore_items")
