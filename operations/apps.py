from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class OperationsConfig(AppConfig):
    name = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        from operations import checks  # noqa: F401
        from operations.maintenance import prune  # noqa: F401

        autodiscover_modules("reasons", "handlers", "links", "overview", "integrity", "starters")
