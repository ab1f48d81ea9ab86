from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from tenancy.models import Membership, Tenant, User, Workspace

admin.site.site_header = "Runledger administration"
admin.site.site_title = "Runledger"
admin.site.index_title = "Support"
admin.site.register(User, UserAdmin)


class MembershipInline(admin.TabularInline[Membership, Workspace]):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    list_display = ("name", "slug", "timezone", "created_at")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (MembershipInline,)


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin[Tenant]):
    list_display = ("name", "workspace", "external_id", "status", "created_at")
    list_filter = ("status", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "external_id")
    autocomplete_fields = ("workspace",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Tenant | None = None
    ) -> tuple[str, ...]:
        """Which tenant it is, is written once."""
        return ("workspace", "external_id", "created_at") if obj else ()


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin[Membership]):
    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role", "workspace")
    list_select_related = ("user", "workspace")
    search_fields = ("user__username", "workspace__name")
    autocomplete_fields = ("user", "workspace")
