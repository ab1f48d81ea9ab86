"""Links from a sync to the list that it updates and to its parent run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from inventory.models import Policy
from operations.context import register_context_key
from operations.links import Link, related_link, related_links
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.models import User

_LISTS = {
    OperationRunType.INVENTORY_SYNC: ("policy_list", "Policies"),
    OperationRunType.WORKSPACE_INVENTORY_SYNC: ("policy_list", "Policies"),
    OperationRunType.DIRECTORY_GROUPS_SYNC: ("group_list", "Groups"),
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC: ("role_definition_list", "Role definitions"),
}

register_context_key("policy_id", "Policy", int)


@related_link("policy_id")
def policy_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The policy that the run is about."""
    policies = Policy.objects.visible_to(user).filter(workspace=run.workspace_id).with_scope()
    policy = policies.filter(pk=value).first()
    if policy is None:
        return None
    return Link(f"Policy: {policy.name}", policy.get_absolute_url(), "policy")


@related_link("parent_run_id")
def parent_link(value: Any, run: OperationRun, user: User) -> Link | None:
    """The run that started this one."""
    runs = OperationRun.objects.visible_to(user).filter(workspace=run.workspace_id)
    parent = runs.filter(pk=value).first()
    if parent is None:
        return None
    return Link(f"Parent run {parent.pk}", parent.get_absolute_url(), "run")


@related_links
def list_links(run: OperationRun, user: User) -> Iterable[Link]:
    """The list that the sync updates, filtered by its tenant."""
    for run_type, (url_name, label) in _LISTS.items():
        if run.type == run_type:
            query = f"?tenant={run.tenant_id}" if run.tenant_id else ""
            yield Link(label, reverse(url_name, args=[run.workspace.slug]) + query, url_name)
