"""The addresses of notifications and their rules."""

from django.urls import path

from notifications.views import deliveries, endpoints, inbox, rules

_RULES = "w/<slug:slug>/notifications/rules"
_ENDPOINTS = "w/<slug:slug>/notifications/endpoints"
_ENDPOINT = f"{_ENDPOINTS}/<int:endpoint_id>"

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
    path(
        "w/<slug:slug>/notifications/deliveries/<int:delivery_id>/send-again/",
        deliveries.notification_delivery_send_again,
        name="notification_delivery_send_again",
    ),
    path(f"{_ENDPOINTS}/", endpoints.webhook_endpoint_list, name="webhook_endpoint_list"),
    path(f"{_ENDPOINTS}/new/", endpoints.webhook_endpoint_create, name="webhook_endpoint_create"),
    path(f"{_ENDPOINT}/", endpoints.webhook_endpoint_detail, name="webhook_endpoint_detail"),
    path(f"{_ENDPOINT}/edit/", endpoints.webhook_endpoint_edit, name="webhook_endpoint_edit"),
    path(f"{_ENDPOINT}/rotate/", endpoints.webhook_endpoint_rotate, name="webhook_endpoint_rotate"),
    path(f"{_ENDPOINT}/test/", endpoints.webhook_endpoint_test, name="webhook_endpoint_test"),
    path(f"{_ENDPOINT}/pause/", endpoints.webhook_endpoint_pause, name="webhook_endpoint_pause"),
    path(f"{_ENDPOINT}/resume/", endpoints.webhook_endpoint_resume, name="webhook_endpoint_resume"),
    path(f"{_ENDPOINT}/delete/", endpoints.webhook_endpoint_delete, name="webhook_endpoint_delete"),
]
