"""Sessions and links in Django admin: support ends sessions, and sees no key and no link."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import (
    AccessToken,
    AccessTokenRate,
    CodeAttempts,
    GroupMembership,
    GroupRole,
    Invitation,
    PasswordReset,
    RecoveryCode,
    Session,
    SignInLink,
)
from tenancy.model_admin import ModelAdmin, ReadOnly

# Identities belong to the account page, providers are settings, and there are no tokens.
admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken])
# Its pages would show the stored secrets. `manage.py reset_second_factor` removes second factors.
admin.site.unregister(Authenticator)


@admin.register(Session)
class SessionAdmin(ReadOnly, ModelAdmin[Session]):
    """Deleting a session ends it."""

    list_display = ("user", "created_at", "last_seen_at", "expires_at")
    search_fields = ("user__username",)
    list_select_related = ("user",)
    ordering = ("-last_seen_at", "-id")
    exclude = ("session_key", "session_data")

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

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("tenancy.delete_workspace")


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnly, ModelAdmin[AccessToken]):
    """Users and owners revoke tokens; no page shows what is stored of the secret."""

    list_display = ("name", "user_name", "workspace", "role", "last_used_at", "expires_at")
    list_filter = ("is_service", "role", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "user_name", "=hint", "workspace__name")
    ordering = ("-created_at", "-id")
    exclude = ("secret_hash",)


@admin.register(AccessTokenRate)
class AccessTokenRateAdmin(ReadOnly, ModelAdmin[AccessTokenRate]):
    """How many requests a token has sent in its minute."""

    list_display = ("token", "started_at", "requests")
    list_select_related = ("token",)
    search_fields = ("token__name",)
    ordering = ("-started_at",)


class CodeAdmin(ReadOnly, ModelAdmin[Any]):
    """What belongs to an account is deleted with it only."""

    list_select_related = ("user",)
    search_fields = ("user__username",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("tenancy.delete_user")


@admin.register(CodeAttempts)
class CodeAttemptsAdmin(CodeAdmin):
    """Wrong codes, and until when codes of a user are locked."""

    list_display = ("user", "failures", "locked_until")
    ordering = ("user__username",)


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(CodeAdmin):
    list_display = ("user", "created_at", "used_at")
    ordering = ("-id",)
    exclude = ("code_hash",)


@admin.register(SignInLink)
class SignInLinkAdmin(CodeAdmin):
    """A link is created by a command only."""

    list_display = ("user", "created_at", "expires_at", "used_at")
    ordering = ("-created_at", "-id")
    exclude = ("link_hash",)


@admin.register(PasswordReset)
class PasswordResetAdmin(ReadOnly, ModelAdmin[PasswordReset]):
    list_display = ("email", "requested_at", "handled_at")
    search_fields = ("email",)
    ordering = ("-requested_at", "-id")


class WorkspaceRowAdmin(ReadOnly, ModelAdmin[Any]):
    """Owners manage it on the pages of the workspace; it is deleted with its workspace only."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        names = ("tenancy.delete_workspace", "tenancy.delete_membership")
        return any(request.user.has_perm(name) for name in names)


@admin.register(GroupRole)
class GroupRoleAdmin(WorkspaceRowAdmin):
    list_display = ("group", "provider", "workspace", "role")
    list_filter = ("role", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("group", "workspace__name")


@admin.register(GroupMembership)
class GroupMembershipAdmin(WorkspaceRowAdmin):
    """A membership that groups gave."""

    list_display = ("membership", "role")
    list_select_related = ("membership__user", "membership__workspace")
    search_fields = ("membership__user__username",)
    ordering = ("-membership_id",)

    @admin.display(description="role")
    def role(self, row: GroupMembership) -> str:
        return row.membership.get_role_display()
