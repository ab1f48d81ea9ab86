from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = "Provider connections"

    def ready(self) -> None:
        from operations.database_roles import withhold

        withhold("DELETE, TRUNCATE", "configuration_secrets")
