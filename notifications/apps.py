from django.apps import AppConfig

from operations.ticks import watch_tick


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        watch_tick("emails", queue="notifications")
