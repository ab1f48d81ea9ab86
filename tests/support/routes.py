"""Every route, what it needs, and what it answers: the table that the walks go through.

A route without a row here fails the suite. `needs` is the capability; None is for routes that any
signed-in person may use, because they show no more than what is visible to that person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

from legacy_runs.addresses import ADDRESSES
from tenancy.roles import Capability

#: Public routes, which need no sign-in.
OPEN = {"healthz", "livez", "sign_in", "sign_out", "theme"}


@dataclass(frozen=True)
class Route:
    """`post`: it changes something. `ids`: the names of the ids in its address.

    `staff`: for staff alone, whatever their workspaces.
    """

    name: str
    needs: Capability | None = Capability.VIEW
    post: bool = False
    ids: tuple[str, ...] = ()
    staff: bool = False

    @property
    def answers(self) -> int:
        """What a permitted person gets."""
        return 302 if self.post else 200

    @property
    def method(self) -> str:
        return "post" if self.post else "get"


def of_workspace(
    name: str, *ids: str, needs: Capability = Capability.VIEW, post: bool = False
) -> Route:
    return Route(name, needs=needs, post=post, ids=("slug", *ids))


def columns_of_run(name: str, *, needs: Capability = Capability.VIEW, post: bool = False) -> Route:
    return Route(name, needs=needs, post=post, ids=("run_id",))


ROUTES = [
    Route("run_list_all", needs=None),
    Route("run_export_all", needs=None),
    columns_of_run("run_detail"),
    columns_of_run("run_log"),
    # The run of the table was started by another user.
    columns_of_run("run_cancel", needs=Capability.CANCEL_ANY_RUN, post=True),
    columns_of_run("run_retry", needs=Capability.RETRY_RUN, post=True),
    columns_of_run("run_acknowledge", needs=Capability.ACKNOWLEDGE_RUN, post=True),
    of_workspace("run_cancel_many", needs=Capability.CANCEL_OWN_RUN, post=True),
    of_workspace("run_retry_many", needs=Capability.RETRY_RUN, post=True),
    of_workspace("run_acknowledge_many", needs=Capability.ACKNOWLEDGE_RUN, post=True),
    Route("ledger_integrity", staff=True),
    Route("ledger_check", staff=True, post=True),
    of_workspace("retention_policy"),
    of_workspace("retention_prune", needs=Capability.PRUNE_RUNS, post=True),
    of_workspace("overview"),
    of_workspace("run_list"),
    of_workspace("run_export"),
    Route("legacy_inventory_sync_run", ids=("legacy_id",)),
    Route("legacy_entra_group_sync_run", ids=("legacy_id",)),
    Route("legacy_backup_schedule_run", ids=("legacy_id",)),
    *(Route(name, ids=("legacy_id",)) for name, _, _ in ADDRESSES),
    of_workspace("legacy_run_list"),
    of_workspace("tenant_run_list", "tenant_id"),
    of_workspace("tenant_list"),
    of_workspace("tenant_create", needs=Capability.MANAGE_TENANTS),
    of_workspace("tenant_detail", "tenant_id"),
    of_workspace("tenant_edit", "tenant_id", needs=Capability.MANAGE_TENANTS),
    of_workspace("tenant_suspend", "tenant_id", needs=Capability.MANAGE_TENANTS, post=True),
    of_workspace("tenant_resume", "tenant_id", needs=Capability.MANAGE_TENANTS, post=True),
    of_workspace("workspace_edit", needs=Capability.MANAGE_WORKSPACE),
    of_workspace("member_list"),
    of_workspace("member_add", needs=Capability.MANAGE_MEMBERS),
    of_workspace("member_role", "membership_id", needs=Capability.MANAGE_MEMBERS, post=True),
    of_workspace("member_remove", "membership_id", needs=Capability.MANAGE_MEMBERS, post=True),
    of_workspace("connection_list"),
    of_workspace("connection_create", needs=Capability.MANAGE_CONNECTIONS),
    of_workspace("connection_detail", "connection_id"),
    of_workspace("connection_edit", "connection_id", needs=Capability.MANAGE_CONNECTIONS),
    of_workspace("connection_credential", "connection_id", needs=Capability.MANAGE_CONNECTIONS),
    of_workspace(
        "connection_default", "connection_id", needs=Capability.MANAGE_CONNECTIONS, post=True
    ),
    of_workspace(
        "connection_remove", "connection_id", needs=Capability.MANAGE_CONNECTIONS, post=True
    ),
    of_workspace("connection_check", "connection_id", needs=Capability.CHECK_CONNECTION, post=True),
    of_workspace(
        "connection_check_tenant", "tenant_id", needs=Capability.CHECK_CONNECTION, post=True
    ),
    of_workspace("policy_list"),
    of_workspace("policy_detail", "policy_id"),
    of_workspace("group_list"),
    of_workspace("group_detail", "group_id"),
    of_workspace("role_definition_list"),
    of_workspace("role_definition_detail", "role_definition_id"),
    of_workspace("workspace_inventory_sync", needs=Capability.START_SYNC, post=True),
    of_workspace("inventory_sync", "tenant_id", needs=Capability.START_SYNC, post=True),
    of_workspace("directory_groups_sync", "tenant_id", needs=Capability.START_SYNC, post=True),
    of_workspace("role_definitions_sync", "tenant_id", needs=Capability.START_SYNC, post=True),
    of_workspace("schedule_list"),
    of_workspace("schedule_create", needs=Capability.MANAGE_SCHEDULES),
    of_workspace("schedule_edit", "schedule_id", needs=Capability.MANAGE_SCHEDULES),
    of_workspace("schedule_detail", "schedule_id"),
    of_workspace("schedule_run_now", "schedule_id", needs=Capability.START_BACKUP, post=True),
    of_workspace("schedule_pause", "schedule_id", needs=Capability.MANAGE_SCHEDULES, post=True),
    of_workspace("schedule_resume", "schedule_id", needs=Capability.MANAGE_SCHEDULES, post=True),
    of_workspace("export_list", needs=Capability.EXPORT_POLICIES),
    of_workspace("export_download", "export_id", needs=Capability.EXPORT_POLICIES),
    of_workspace("policies_back_up", needs=Capability.START_BACKUP, post=True),
    of_workspace("policies_export", needs=Capability.EXPORT_POLICIES, post=True),
    of_workspace("backup_set_list"),
    of_workspace("backup_set_detail", "set_id"),
    of_workspace("backup_set_delete", "set_id", needs=Capability.DELETE_BACKUP_SETS, post=True),
    of_workspace("backup_item_detail", "set_id", "item_id"),
    of_workspace("backup_set_changes", "set_id"),
    of_workspace("backup_item_changes", "set_id", "item_id"),
    of_workspace("restore_list"),
    of_workspace("restore_create", "set_id", needs=Capability.RESTORE),
    of_workspace("restore_detail", "restore_id"),
    of_workspace("restore_item", "restore_id", "restore_item_id"),
    of_workspace("restore_decide", "restore_id", needs=Capability.RESTORE, post=True),
    of_workspace("restore_approve", "restore_id", needs=Capability.RESTORE, post=True),
    of_workspace("restore_execute", "restore_id", needs=Capability.RESTORE, post=True),
    of_workspace("restore_discard", "restore_id", needs=Capability.RESTORE, post=True),
    of_workspace("restore_retry", "restore_id", needs=Capability.RESTORE, post=True),
]


def named_routes() -> set[str]:
    """The names of all routes but those of Django's admin, which has its own guard.

    Raises:
        AssertionError: a route has no name.
    """
    return set(_names(get_resolver()))


def _names(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            if entry.app_name != "admin":
                yield from _names(entry)
        elif isinstance(entry, URLPattern):
            assert entry.name, f"{entry.pattern} has no name"
            yield entry.name
