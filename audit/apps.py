from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from audit import checks, context, sign_ins  # noqa: F401

        autodiscover_modules("audited")
        context.install()
        sign_ins.connect()
