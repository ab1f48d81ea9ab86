"""Sessions and invitations in Django admin: support ends sessions, and sees no key and no link."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import Invitation, Session
from tenancy.model_admin import ModelAdmin, ReadOnly

# This product does not use allauth's addresses.
admin.site.unregister(EmailAddress)


@admin.register(Session)
class SessionAdmin(ReadOnly, ModelAdmin[Session]):
    """Deleting a session ends it."""

    list_display = ("user", "created_at", "last_seen_at", "expires_at")
    search_fields = ("user__username",)
    list_select_related = ("user",)
    ordering = ("-last_seen_at", "-id")
    exclude = ("session_key", "session_data")
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow it to everyone who may delete accounts too, since that ends their sessions."""
        names = ("accounts.delete_session", "tenancy.delete_user")
        return any(request.user.has_perm(name) for name in names)


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, ModelAdmin[Invitation]):
    """Owners invite and revoke; an invitation is deleted with its workspace only."""

    list_display = ("email", "workspace", "role", "invited_by_name", "expires_at", "accepted_at")
    list_filter = ("role", "workspace")
    search_fields = ("email", "workspace__name")
    list_select_related = ("workspace",)
    ordering = ("-created_at", "-id")
    exclude = ("link_hash",)
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("tenancy.delete_workspace")
