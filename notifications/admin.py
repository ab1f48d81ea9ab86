"""Rules and what was sent in Django admin, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q

from notifications.models import (
    Notification,
    NotificationDelivery,
    NotificationEvent,
    NotificationRule,
    NotificationSettings,
    WebhookEndpoint,
)
from tenancy.model_admin import (
    ModelAdmin,
    ReadOnly,
    having_number,
    having_part,
    of_users_named,
)
from web.term_search import SHORTEST_TERM


@admin.register(NotificationRule)
class NotificationRuleAdmin(ReadOnly, ModelAdmin[NotificationRule]):
    list_display = ("__str__", "workspace", "owner", "in_app", "email", "created_at")
    list_select_related = ("workspace", "tenant", "schedule", "owner", "endpoint")
    search_fields = ("owner__username", "tenant__name")
    ordering = ("-id",)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnly, ModelAdmin[WebhookEndpoint]):
    list_display = ("name", "workspace", "format", "host", "paused_at", "disabled_at")
    list_filter = ("format",)
    list_select_related = ("workspace",)
    search_fields = ("name", "host")
    exclude = ("encrypted_url", "encrypted_secret", "encrypted_previous_secret")
    ordering = ("-id",)


@admin.register(NotificationEvent)
class NotificationEventAdmin(ReadOnly, ModelAdmin[NotificationEvent]):
    list_display = ("__str__", "workspace", "kind", "created_at", "handled_at")
    list_filter = ("kind",)
    list_select_related = ("workspace",)
    search_fields = ("=subject_id", "title")
    search_help_text = "The number of what the event concerns, or a part of a title."
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q | None:
        of_subject = having_number(text, "subject_id")
        if len(text) < SHORTEST_TERM:
            return of_subject if text.isdecimal() else None
        return of_subject | having_part(text, self.model, "title")


@admin.register(Notification)
class NotificationAdmin(ReadOnly, ModelAdmin[Notification]):
    list_display = ("event", "workspace", "user", "created_at", "read_at")
    list_select_related = ("event", "workspace", "user")
    search_fields = ("user__username",)
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return of_users_named(text)


@admin.register(NotificationSettings)
class NotificationSettingsAdmin(ReadOnly, ModelAdmin[NotificationSettings]):
    list_display = ("user", "frequency")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("user",)


@admin.register(NotificationDelivery)
class NotificationDeliveryAdmin(ReadOnly, ModelAdmin[NotificationDelivery]):
    list_display = (
        "event", "workspace", "user", "endpoint", "attempts", "answer", "delivered_at", "failed_at",
    )  # fmt: skip
    list_select_related = ("event", "workspace", "user", "endpoint")
    search_fields = ("user__username",)
    ordering = ("-id",)

    def indexed_search(self, text: str) -> Q:
        return of_users_named(text)
