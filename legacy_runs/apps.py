from django.apps import AppConfig


class LegacyRunsConfig(AppConfig):
    name = "legacy_runs"
    verbose_name = "History"
