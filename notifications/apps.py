from django.apps import AppConfig

from operations.ticks import watch_tick


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        from notifications import checks, rotation  # noqa: F401

        watch_tick("emails", queue="notifications")
