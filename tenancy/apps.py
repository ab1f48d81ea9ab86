from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TenancyConfig(AppConfig):
    name = "tenancy"
    verbose_name = "Workspaces and tenants"

    def ready(self) -> None:
        from tenancy import checks  # noqa: F401

        autodiscover_modules("search", "tenant_page", "waiting")
