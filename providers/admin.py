"""The Django admin of connections, without their credentials."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from providers import services
from providers.models import ConfigurationSecret, ConnectionPace, ProviderConnection
from tenancy.model_admin import ModelAdmin, NeverDeleted, ReadOnly, WholeForm


class ConnectionForm(WholeForm[ProviderConnection]):
    class Meta:
        model = ProviderConnection
        fields = (
            "name",
            "cloud",
            "client_id",
            "access",
            "reads_encrypted_values",
            "credential_expires_on",
        )


@admin.register(ProviderConnection)
class ProviderConnectionAdmin(NeverDeleted, ModelAdmin[ProviderConnection]):
    form = ConnectionForm
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
        "is_default",
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
        "reads_encrypted_values",
        "credential_expires_on",
        *readonly_fields,
    )

    actions = ("make_default",)

    @admin.action(description="Make default connection of the tenant", permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: QuerySet[ProviderConnection]) -> None:
        """Make each connection the default of its tenant; the last one of each tenant wins."""
        for connection in queryset:
            services.make_default(connection)

    def save_model(
        self, request: HttpRequest, obj: ProviderConnection, form: Any, change: bool
    ) -> None:
        """Save with the same rules as the pages."""
        services.save_connection(obj)
        if "credential_expires_on" in form.changed_data:
            obj.save(update_fields=["credential_expires_on", "updated_at"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a connection needs a credential, and the admin does not accept credentials."""
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: ProviderConnection | None = None
    ) -> Any:
        """Protect the workspace and tenant: the credential is bound to them."""
        return (*self.readonly_fields, "workspace", "tenant")


@admin.register(ConnectionPace)
class ConnectionPaceAdmin(ReadOnly, ModelAdmin[ConnectionPace]):
    list_display = ("connection", "not_before")
    list_select_related = ("connection",)
    search_fields = ("connection__name",)
    fields = ("connection", "sent", "not_before")


@admin.register(ConfigurationSecret)
class ConfigurationSecretAdmin(ReadOnly, ModelAdmin[ConfigurationSecret]):
    """The values of configurations, without the values themselves."""

    list_display = ("setting", "tenant", "workspace", "created_at")
    list_select_related = ("tenant", "workspace")
    search_fields = ("setting", "tenant__name")
    fields = ("setting", "tenant", "workspace", "created_at", "check_after")
