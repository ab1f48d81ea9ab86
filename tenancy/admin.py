"""Workspaces, tenants, users and sign-ins in Django admin; saved through the same services."""

from __future__ import annotations

from typing import Any, cast

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from tenancy import services, staff_changes
from tenancy.model_admin import M, ModelAdmin, ReadOnly, WholeForm, having_part
from tenancy.models import (
    ApprovalOffRequest,
    Membership,
    StaffChange,
    SupportAccess,
    Tenant,
    TenantStatus,
    User,
    Workspace,
)
from tenancy.roles import Role
from web.client_address import without_zone
from web.term_search import SHORTEST_TERM

admin.site.unregister(Group)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


@admin.register(Group)
class PermissionGroupAdmin(ModelAdmin[Group], GroupAdmin):
    list_display = ("name", "permission_count")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(permission_count=Count("permissions"))

    @admin.display(description="permissions")
    def permission_count(self, group: Any) -> int:
        count: int = group.permission_count
        return count


@admin.register(User)
class AccountAdmin(ModelAdmin[User], UserAdmin[User]):
    """Persons; staff who are not superusers manage operators only, and cannot gain permissions."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Leave out service accounts, which belong to their access tokens."""
        return super().get_queryset(request).filter(is_service_account=False)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if _user(request).is_superuser:
            return ()
        return ("is_staff", "is_superuser", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_manage(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save the user, and warn about workspaces that have no owner left who can sign in."""
        super().save_model(request, obj, form, change)
        staff_changes.record_account_change(obj, form.changed_data, by=_user(request))
        for workspace in services.without_owner().filter(memberships__user=obj):
            text = f"{workspace} has no owner who can sign in. Give a member the role Owner."
            self.message_user(request, text, messages.WARNING)

    @transaction.atomic
    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> Any:
        """Change the password, or disable it, with an entry for the workspaces of an owner."""
        account = self.get_object(request, unquote(id))
        before = account.password if account else ""
        response = super().user_change_password(request, id, form_url)
        if account:
            account.refresh_from_db()
            if account.password != before:
                staff_changes.record_account_change(account, ["password"], by=_user(request))
        return response

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: User) -> None:
        by = _user(request)
        for membership in obj.memberships.select_related("workspace"):
            text = f"Deleted the account of the {membership.get_role_display().lower()}."
            staff_changes.record(membership.workspace, obj, text, by=by)
        services.remove_account(obj, by=by)


def _may_manage(request: HttpRequest, account: User | None) -> bool:
    """Whether the account has no permissions beyond those that the user may grant."""
    if account is None or _user(request).is_superuser:
        return True
    return not (account.is_staff or account.is_superuser)


class DeletedUnused(ModelAdmin[M]):
    """Only what has not been used can be deleted."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the kinds of data of a used row; Django would load and list each row of them."""
        if kinds := sorted({name for row in objs for name in services.used_by(row)}):
            return [], {}, set(), [capfirst(kind) for kind in kinds]
        return super().get_deleted_objects(objs, request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.remove_unused(obj, by=_user(request))


@admin.register(Workspace)
class WorkspaceAdmin(DeletedUnused[Workspace]):
    list_display = ("name", "slug", "timezone", "created_at")
    search_fields = ("name", "slug")

    def get_readonly_fields(self, request: HttpRequest, obj: Workspace | None = None) -> Any:
        """The slug cannot change, and only owners switch the approval of restores off."""
        if obj is None:
            return ()
        fixed = ("slug", "restores_need_approval") if obj.restores_need_approval else ("slug",)
        return (*fixed, "members")

    @admin.display(description="Members")
    def members(self, obj: Workspace) -> str:
        """Return a link to the list of the members, of whom there can be thousands."""
        count = obj.memberships.filter(user__is_service_account=False).count()
        address = reverse("admin:tenancy_membership_changelist")
        text = f"{count:,}"
        return format_html('<a href="{}?workspace__id__exact={}">{}</a>', address, obj.pk, text)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Workspace | None = None) -> Any:
        return {} if obj else {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Workspace, form: Any, change: bool) -> None:
        services.save_workspace(obj)


@admin.register(ApprovalOffRequest)
class ApprovalOffRequestAdmin(ReadOnly, ModelAdmin[ApprovalOffRequest]):
    list_display = ("workspace", "requested_by_name", "created_at", "effective_at", "ended_at")
    list_filter = ("workspace",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "requested_by_name")


@admin.register(StaffChange)
class StaffChangeAdmin(ReadOnly, ModelAdmin[StaffChange]):
    list_display = ("at", "workspace", "user_name", "text", "changed_by_name")
    list_filter = ("workspace",)
    list_select_related = ("workspace",)
    search_fields = ("user_name", "changed_by_name")


@admin.register(SupportAccess)
class SupportAccessAdmin(ReadOnly, ModelAdmin[SupportAccess]):
    """Staff open a workspace on the page “Support access”, which asks for the reason."""

    list_display = ("user_name", "workspace", "reason", "created_at", "expires_at", "ended_at")
    list_filter = ("workspace",)
    list_select_related = ("workspace",)
    search_fields = ("user_name", "reason")


@admin.register(Tenant)
class TenantAdmin(DeletedUnused[Tenant]):
    list_display = ("name", "workspace", "external_id", "status", "created_at")
    list_filter = ("status", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "external_id")
    autocomplete_fields = ("workspace",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Tenant | None = None
    ) -> tuple[str, ...]:
        """The workspace and the Entra tenant id cannot change; a new tenant is active."""
        return ("workspace", "external_id", "created_at") if obj else ("status",)

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        status = TenantStatus(obj.status)
        if change:
            obj.status = Tenant.objects.values_list("status", flat=True).get(pk=obj.pk)
        services.save_tenant(obj)
        services.change_status(obj, status, by=_user(request), reason="Changed by staff")


class MembershipForm(WholeForm[Membership]):
    class Meta:
        model = Membership
        fields = ("user", "workspace", "role")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance.pk and "role" in cleaned:
            services.keep_an_owner(self.instance, cleaned["role"])
        user, workspace = cleaned.get("user"), cleaned.get("workspace")
        if user and workspace and workspace.memberships.filter(user=user).exists():
            self.add_error("user", f"{user} is already a member.")
        if user and user.is_service_account:
            self.add_error("user", f"{user} is a service account.")
        return cleaned


@admin.register(Membership)
class MembershipAdmin(ModelAdmin[Membership]):
    form = MembershipForm
    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role", "workspace")
    list_select_related = ("user", "workspace")
    search_fields = ("user__username", "workspace__name")
    autocomplete_fields = ("user", "workspace")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        """Leave out service accounts, which belong to their access tokens."""
        return super().get_queryset(request).filter(user__is_service_account=False)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return ("user", "workspace") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        by, role = _user(request), Role(obj.role)
        if change:
            services.change_role(obj, role, by=by)
            text = f"Changed the role of the member to {role.label.lower()}."
        else:
            obj.pk = services.admit(obj.workspace, obj.user, role, by=by).pk
            text = f"Added the member as {role.label.lower()}."
        staff_changes.record(obj.workspace, obj.user, text, by=by)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        by, text = _user(request), f"Removed the {obj.get_role_display().lower()}."
        services.remove_member(obj, by=by, reason="Removed by staff")
        staff_changes.record(obj.workspace, obj.user, text, by=by)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnly, ModelAdmin[Any]):
    """The counters of failed sign-ins, and the locks that they became."""

    list_display = ("user_name", "ip_address", "failures_since_start", "attempt_time")
    search_fields = ("username", "=ip_address")
    ordering = ("-attempt_time", "-id")
    exclude = ("get_data", "post_data")
    actions = ("unlock",)

    @admin.display(description="User name", ordering="username")
    def user_name(self, obj: AccessAttempt) -> str:
        """Return the name, or a text for the counter of an address across all names."""
        return obj.username or "all names"

    @admin.action(description="Unlock sign-in", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for attempt in queryset:
            services.unlock(attempt.username, attempt.ip_address, by=_user(request))
        self.message_user(request, "Sign-in unlocked.")

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return _user(request).has_perm("axes.delete_accessattempt")


class SignInAdmin(ReadOnly, ModelAdmin[Any]):
    search_fields = ("username", "=ip_address")
    search_help_text = "A part of a user name, or an IP address."
    ordering = ("-attempt_time", "-id")

    def indexed_search(self, text: str) -> Q | None:
        if len(text) < SHORTEST_TERM:
            return None
        conditions = having_part(text, self.model, "username")
        if address := without_zone(text):
            conditions |= Q(ip_address=address)
        return conditions


@admin.register(AccessLog)
class AccessLogAdmin(SignInAdmin):
    list_display = ("username", "ip_address", "attempt_time", "logout_time")
    exclude = ("session_hash",)


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(SignInAdmin):
    list_display = ("username", "ip_address", "locked_out", "attempt_time")
    list_filter = ("locked_out",)
