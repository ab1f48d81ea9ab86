"""Support's view of connections: everything but the credential."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from providers.models import ProviderConnection


@admin.register(ProviderConnection)
class ProviderConnectionAdmin(admin.ModelAdmin[ProviderConnection]):
    list_display = (
        "name",
        "tenant",
        "workspace",
        "cloud",
        "access",
        "is_default",
        "status",
        "credential_state",
        "checked_at",
    )
    list_filter = ("status", "cloud", "access", "credential_kind", "is_default", "workspace")
    list_select_related = ("tenant", "workspace")
    search_fields = ("name", "client_id", "tenant__name", "tenant__external_id")
    autocomplete_fields = ("workspace", "tenant")
    readonly_fields = (
        "credential_kind",
        "credential_state",
        "credential_set_at",
        "status",
        "check_reason",
        "check_results",
        "checked_at",
        "created_at",
        "updated_at",
    )
    fields = (
        "name",
        "workspace",
        "tenant",
        "cloud",
        "client_id",
        "access",
        "is_default",
        "credential_expires_on",
        *readonly_fields,
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A connection without a credential is worth nothing, and none is entered here."""
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: ProviderConnection | None = None
    ) -> Any:
        """What the credential is bound to stays as it is."""
        return (*self.readonly_fields, "workspace", "tenant")
