"""The addresses of notifications and their rules."""

from django.urls import path

from notifications.views import deliveries, inbox, rules

_RULES = "w/<slug:slug>/notifications/rules"

urlpatterns = [
    path("notifications/", inbox.notification_list, name="notification_list"),
    path("notifications/read/", inbox.notification_read, name="notification_read"),
    path("notifications/settings/", inbox.notification_settings, name="notification_settings"),
    path(
        "notifications/unsubscribe/<str:token>/",
        inbox.notification_unsubscribe,
        name="notification_unsubscribe",
    ),
    path(f"{_RULES}/", rules.notification_rule_list, name="notification_rule_list"),
    path(f"{_RULES}/new/", rules.notification_rule_create, name="notification_rule_create"),
    path(f"{_RULES}/<int:rule_id>/", rules.notification_rule_edit, name="notification_rule_edit"),
    path(
        f"{_RULES}/<int:rule_id>/delete/",
        rules.notification_rule_delete,
        name="notification_rule_delete",
    ),
    path(
        "w/<slug:slug>/notifications/deliveries/",
        deliveries.notification_delivery_list,
        name="notification_delivery_list",
    ),
]
