"""The addresses of tenants, members and workspace settings."""

from django.urls import path

from tenancy.views import approvals, search, session, support, tenants, workspace

_TENANTS = "w/<slug:slug>/tenants"
_MEMBERS = "w/<slug:slug>/members"
_SETTINGS = "w/<slug:slug>/settings/"
_OFF = f"{_SETTINGS}approval-off"

urlpatterns = [
    path("", session.home, name="home"),
    path("search/", search.search_page, name="search"),
    path("theme/", session.theme, name="theme"),
    path("workspaces/new/", workspace.workspace_create, name="workspace_create"),
    path("support-access/", support.support_access_open, name="support_access_open"),
    path(
        "support-access/<int:access_id>/end/",
        support.support_access_end,
        name="support_access_end",
    ),
    path(f"{_TENANTS}/", tenants.tenant_list, name="tenant_list"),
    path(f"{_TENANTS}/new/", tenants.tenant_create, name="tenant_create"),
    path(f"{_TENANTS}/<int:tenant_id>/", tenants.tenant_detail, name="tenant_detail"),
    path(f"{_TENANTS}/<int:tenant_id>/edit/", tenants.tenant_edit, name="tenant_edit"),
    path(f"{_TENANTS}/<int:tenant_id>/suspend/", tenants.tenant_suspend, name="tenant_suspend"),
    path(f"{_TENANTS}/<int:tenant_id>/archive/", tenants.tenant_archive, name="tenant_archive"),
    path(f"{_TENANTS}/<int:tenant_id>/resume/", tenants.tenant_resume, name="tenant_resume"),
    path(_SETTINGS, workspace.workspace_edit, name="workspace_edit"),
    path(f"{_OFF}/new/", approvals.approval_off_request, name="approval_off_request"),
    path(
        f"{_OFF}/<int:request_id>/confirm/",
        approvals.approval_off_confirm,
        name="approval_off_confirm",
    ),
    path(
        f"{_OFF}/<int:request_id>/withdraw/",
        approvals.approval_off_withdraw,
        name="approval_off_withdraw",
    ),
    path(f"{_MEMBERS}/", workspace.member_list, name="member_list"),
    path(f"{_MEMBERS}/<int:membership_id>/role/", workspace.member_role, name="member_role"),
    path(f"{_MEMBERS}/<int:membership_id>/remove/", workspace.member_remove, name="member_remove"),
]
