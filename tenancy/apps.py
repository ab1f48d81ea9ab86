from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules


class TenancyConfig(AppConfig):
    name = "tenancy"
    verbose_name = "Workspaces and tenants"

    def ready(self) -> None:
        from tenancy import checks  # noqa: F401
        from tenancy.db import (
            load_times_fast,
            refuse_undeclared_pooler,
            trust_quiet_connections,
        )

        connection_created.connect(refuse_undeclared_pooler)
        connection_created.connect(load_times_fast)

        # After Django's own receiver, which closes connections that broke or are too old.
        request_started.connect(trust_quiet_connections)

        autodiscover_modules("search", "tenant_page", "waiting", "unread")
