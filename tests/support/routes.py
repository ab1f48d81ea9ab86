"""Every route with its required capability and its answer; other tests iterate over this table.

A route without an entry fails the suite. `capability` is the required one, or None for routes that
every signed-in user can use, because they show only what is visible to that user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from legacy_runs.addresses import ADDRESSES
from tenancy.roles import Capability

#: Public routes, which need no sign-in.
OPEN = {
    *("healthz", "livez", "metrics", "theme"),
    *("account_login", "sign_in", "sign_out", "mfa_authenticate", "passkey_sign_in"),
    *("invitation_open", "invitation_accept"),
    *("identity_start", "entra_callback", "oidc_callback"),
    *("password_reset", "password_reset_confirm", "sign_in_link"),
    *("notification_unsubscribe", "openapi_document"),
}


@dataclass(frozen=True)
class Route:
    """A route. `post`: it changes data. `ids`: the names of the ids in its address.

    `staff`: only for staff, regardless of their workspaces.
    """

    name: str
    capability: Capability | None = Capability.VIEW
    post: bool = False
    ids: tuple[str, ...] = ()
    staff: bool = False

    @property
    def expected_status(self) -> int:
        """The status that a permitted user receives."""
        return 302 if self.post else 200


def workspace_route(
    name: str, *ids: str, capability: Capability = Capability.VIEW, post: bool = False
) -> Route:
    return Route(name, capability=capability, post=post, ids=("slug", *ids))


def run_route(name: str, *, capability: Capability = Capability.VIEW, post: bool = False) -> Route:
    return Route(name, capability=capability, post=post, ids=("run_id",))


ROUTES = [
    Route("account", capability=None),
    Route("password_change", capability=None),
    Route("account_time_zone", capability=None, post=True),
    Route("second_factor_required", capability=None),
    Route("app_add", capability=None),
    Route("passkey_add", capability=None),
    Route("factor_remove", capability=None, post=True),
    Route("recovery_codes_create", capability=None, post=True),
    Route("access_token_list", capability=None),
    Route("access_token_create", capability=None),
    Route("access_token_revoke", capability=None, post=True),
    Route("identity_disconnect", capability=None, post=True),
    Route("identity_confirm", capability=None, post=True),
    Route("session_end", capability=None, post=True),
    Route("sign_out_everywhere", capability=None, post=True),
    Route("approval_list", capability=None),
    Route("search", capability=None),
    Route("account_shortcuts", capability=None, post=True),
    Route("overview_all", capability=None),
    Route("run_list_all", capability=None),
    Route("run_export_all", capability=None),
    run_route("run_detail"),
    run_route("run_log"),
    # Another user started the run of these tests.
    run_route("run_cancel", capability=Capability.CANCEL_ANY_RUN, post=True),
    run_route("run_retry", capability=Capability.RETRY_RUN, post=True),
    run_route("run_again", capability=Capability.RETRY_RUN, post=True),
    run_route("run_acknowledge", capability=Capability.ACKNOWLEDGE_RUN, post=True),
    workspace_route("run_cancel_many", capability=Capability.CANCEL_OWN_RUN),
    workspace_route("run_retry_many", capability=Capability.RETRY_RUN),
    workspace_route("run_acknowledge_many", capability=Capability.ACKNOWLEDGE_RUN),
    Route("list_settings", capability=None, post=True),
    workspace_route("saved_view_list"),
    workspace_route("saved_view_create"),
    # The view of these tests is shared.
    workspace_route("saved_view_edit", "view_id", capability=Capability.SHARE_VIEWS),
    workspace_route("saved_view_delete", "view_id", capability=Capability.SHARE_VIEWS, post=True),
    Route("workspace_create", staff=True),
    Route("support_access_open", staff=True),
    Route(
        "support_access_end", capability=Capability.MANAGE_MEMBERS, post=True, ids=("access_id",)
    ),
    Route("ledger_integrity", staff=True),
    Route("ledger_check", staff=True, post=True),
    Route("notification_list", capability=None),
    Route("notification_read", capability=None, post=True),
    Route("notification_settings", capability=None, post=True),
    workspace_route("notification_rule_list"),
    workspace_route("notification_rule_create"),
    # The rule of these tests is for all members.
    workspace_route("notification_rule_edit", "rule_id", capability=Capability.MANAGE_WORKSPACE),
    workspace_route(
        "notification_rule_delete", "rule_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route("notification_delivery_list"),
    workspace_route(
        "notification_delivery_send_again",
        "delivery_id",
        capability=Capability.MANAGE_WORKSPACE,
        post=True,
    ),
    workspace_route("webhook_endpoint_list"),
    workspace_route("webhook_endpoint_create", capability=Capability.MANAGE_WORKSPACE),
    workspace_route("webhook_endpoint_detail", "endpoint_id"),
    workspace_route("webhook_endpoint_edit", "endpoint_id", capability=Capability.MANAGE_WORKSPACE),
    workspace_route(
        "webhook_endpoint_rotate", "endpoint_id", capability=Capability.MANAGE_WORKSPACE
    ),
    workspace_route(
        "webhook_endpoint_test", "endpoint_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route(
        "webhook_endpoint_pause", "endpoint_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route(
        "webhook_endpoint_resume", "endpoint_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route(
        "webhook_endpoint_delete", "endpoint_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route("incident_list"),
    workspace_route("incident_detail", "incident_id"),
    workspace_route("incident_retry", "incident_id", capability=Capability.RETRY_RUN),
    workspace_route("incident_acknowledge", "incident_id", capability=Capability.ACKNOWLEDGE_RUN),
    workspace_route("retention_policy"),
    workspace_route("retention_prune", capability=Capability.PRUNE_RUNS, post=True),
    workspace_route("overview"),
    workspace_route("run_list"),
    workspace_route("run_export"),
    Route("legacy_inventory_sync_run", ids=("legacy_id",)),
    Route("legacy_entra_group_sync_run", ids=("legacy_id",)),
    Route("legacy_backup_schedule_run", ids=("legacy_id",)),
    *(Route(name, ids=("legacy_id",)) for name, _, _ in ADDRESSES),
    workspace_route("legacy_run_list"),
    workspace_route("tenant_run_list", "tenant_id"),
    workspace_route("tenant_list"),
    workspace_route("tenant_create", capability=Capability.MANAGE_TENANTS),
    workspace_route("tenant_detail", "tenant_id"),
    workspace_route("tenant_edit", "tenant_id", capability=Capability.MANAGE_TENANTS),
    workspace_route("tenant_suspend", "tenant_id", capability=Capability.MANAGE_TENANTS, post=True),
    workspace_route("tenant_archive", "tenant_id", capability=Capability.MANAGE_TENANTS, post=True),
    workspace_route("tenant_resume", "tenant_id", capability=Capability.MANAGE_TENANTS, post=True),
    workspace_route("workspace_edit", capability=Capability.MANAGE_WORKSPACE),
    workspace_route("audit_log", capability=Capability.VIEW_AUDIT_LOG),
    workspace_route("audit_export", capability=Capability.VIEW_AUDIT_LOG),
    workspace_route("approval_off_request", capability=Capability.MANAGE_WORKSPACE, post=True),
    workspace_route(
        "approval_off_confirm", "request_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route(
        "approval_off_withdraw", "request_id", capability=Capability.MANAGE_WORKSPACE, post=True
    ),
    workspace_route("api_reference"),
    workspace_route("member_list"),
    workspace_route("group_role_list", capability=Capability.MANAGE_MEMBERS),
    workspace_route(
        "group_role_remove", "group_role_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route("workspace_token_list", capability=Capability.MANAGE_MEMBERS),
    workspace_route("service_token_create", capability=Capability.MANAGE_MEMBERS),
    workspace_route(
        "workspace_token_revoke", "token_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route("invitation_create", capability=Capability.MANAGE_MEMBERS),
    workspace_route(
        "invitation_resend", "invitation_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route(
        "invitation_revoke", "invitation_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route(
        "member_role", "membership_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route(
        "member_remove", "membership_id", capability=Capability.MANAGE_MEMBERS, post=True
    ),
    workspace_route("connection_list"),
    workspace_route("connection_create", capability=Capability.MANAGE_CONNECTIONS),
    workspace_route("connection_detail", "connection_id"),
    workspace_route("connection_edit", "connection_id", capability=Capability.MANAGE_CONNECTIONS),
    workspace_route(
        "connection_credential", "connection_id", capability=Capability.MANAGE_CONNECTIONS
    ),
    workspace_route(
        "connection_default", "connection_id", capability=Capability.MANAGE_CONNECTIONS, post=True
    ),
    workspace_route(
        "connection_remove", "connection_id", capability=Capability.MANAGE_CONNECTIONS, post=True
    ),
    workspace_route(
        "connection_check", "connection_id", capability=Capability.CHECK_CONNECTION, post=True
    ),
    workspace_route(
        "connection_check_tenant", "tenant_id", capability=Capability.CHECK_CONNECTION, post=True
    ),
    workspace_route("policy_list"),
    workspace_route("policy_detail", "policy_id"),
    workspace_route("group_list"),
    workspace_route("group_detail", "group_id"),
    workspace_route("role_definition_list"),
    workspace_route("role_definition_detail", "role_definition_id"),
    workspace_route("workspace_inventory_sync", capability=Capability.START_SYNC, post=True),
    workspace_route("inventory_sync", "tenant_id", capability=Capability.START_SYNC, post=True),
    workspace_route(
        "directory_groups_sync", "tenant_id", capability=Capability.START_SYNC, post=True
    ),
    workspace_route(
        "role_definitions_sync", "tenant_id", capability=Capability.START_SYNC, post=True
    ),
    workspace_route("freshness_list"),
    workspace_route("freshness_export"),
    workspace_route("workspace_objective", capability=Capability.MANAGE_SCHEDULES),
    workspace_route("tenant_objective", "tenant_id", capability=Capability.MANAGE_SCHEDULES),
    workspace_route("schedule_list"),
    workspace_route("schedule_create", capability=Capability.MANAGE_SCHEDULES),
    workspace_route("schedule_edit", "schedule_id", capability=Capability.MANAGE_SCHEDULES),
    workspace_route("schedule_detail", "schedule_id"),
    workspace_route(
        "schedule_run_now", "schedule_id", capability=Capability.START_BACKUP, post=True
    ),
    workspace_route(
        "schedule_pause", "schedule_id", capability=Capability.MANAGE_SCHEDULES, post=True
    ),
    workspace_route(
        "schedule_resume", "schedule_id", capability=Capability.MANAGE_SCHEDULES, post=True
    ),
    workspace_route(
        "schedule_delete", "schedule_id", capability=Capability.MANAGE_SCHEDULES, post=True
    ),
    workspace_route("export_list", capability=Capability.EXPORT_POLICIES),
    workspace_route("export_download", "export_id", capability=Capability.EXPORT_POLICIES),
    workspace_route("policies_back_up", capability=Capability.START_BACKUP, post=True),
    workspace_route("policies_export", capability=Capability.EXPORT_POLICIES, post=True),
    workspace_route("change_list"),
    workspace_route("change_export"),
    workspace_route("backup_set_list"),
    workspace_route("backup_set_detail", "set_id"),
    workspace_route(
        "backup_set_delete", "set_id", capability=Capability.DELETE_BACKUP_SETS, post=True
    ),
    workspace_route("backup_set_download", "set_id", capability=Capability.EXPORT_POLICIES),
    workspace_route(
        "backup_item_download", "set_id", "item_id", capability=Capability.EXPORT_POLICIES
    ),
    workspace_route("backup_item_detail", "set_id", "item_id"),
    workspace_route(
        "backup_item_reveal",
        "set_id",
        "item_id",
        capability=Capability.REVEAL_VALUES,
        post=True,
    ),
    workspace_route("backup_set_changes", "set_id"),
    workspace_route("backup_item_changes", "set_id", "item_id"),
    workspace_route("restore_list"),
    workspace_route("restore_create", "set_id", capability=Capability.RESTORE),
    workspace_route("restore_detail", "restore_id"),
    workspace_route("restore_item", "restore_id", "restore_item_id"),
    workspace_route("restore_decide", "restore_id", capability=Capability.RESTORE, post=True),
    workspace_route("restore_approve", "restore_id", capability=Capability.RESTORE, post=True),
    workspace_route("restore_execute", "restore_id", capability=Capability.RESTORE, post=True),
    workspace_route("restore_discard", "restore_id", capability=Capability.RESTORE, post=True),
    workspace_route("restore_missing", "restore_id", capability=Capability.RESTORE, post=True),
    workspace_route("restore_retry", "restore_id", capability=Capability.RESTORE, post=True),
]
ROUTES_BY_NAME = {route.name: route for route in ROUTES}


def public_address(name: str) -> str:
    """Return the address of a public route; a link of an invitation is one of no invitation."""
    links: dict[str, dict[str, str]] = {
        "invitation_open": {"token": "unknown"},
        "sign_in_link": {"token": "unknown"},
        "notification_unsubscribe": {"token": "unknown"},
        "password_reset_confirm": {"uidb64": "MQ", "token": "unknown"},
    }
    return reverse(name, kwargs=links.get(name, {}))


def named_routes() -> set[str]:
    """Return the names of all routes except those of Django's admin and the API.

    Both have their own tests.

    Raises:
        AssertionError: a route has no name.
    """
    return set(named_views())


def named_views() -> dict[str, Callable[..., Any]]:
    """Return the views of these routes by their names."""
    return dict(_views(get_resolver()))


def _views(resolver: URLResolver) -> Iterator[tuple[str, Callable[..., Any]]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            if entry.app_name not in ("admin", "api"):
                yield from _views(entry)
        elif isinstance(entry, URLPattern):
            assert entry.name, f"{entry.pattern} has no name"
            yield entry.name, entry.callback
