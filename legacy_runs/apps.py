from django.apps import AppConfig


class LegacyRunsConfig(AppConfig):
    name = "legacy_runs"
    verbose_name = "Legacy runs"

    def ready(self) -> None:
        from legacy_runs import checks  # noqa: F401
