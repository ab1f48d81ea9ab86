"""The section “History” of the page of an object."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Model
from django.template import Context

from audit.models import AuditEntry
from audit.presentation import describe
from tenancy.capabilities import has_capability
from tenancy.roles import Capability
from tenancy.times import page_zone

register = template.Library()

#: The audit log has the earlier entries.
MAX_ENTRIES = 10


@register.inclusion_tag("audit/_history.html", takes_context=True)
def history(context: Context, row: Model, *, heading: str = "History") -> dict[str, Any]:
    """The last changes of an object."""
    table = row._meta.db_table  # noqa: SLF001 - Django's own API
    entries = AuditEntry.objects.about(table, row.pk)
    query = f"object={table}/{row.pk}"
    return _history(context, entries, query, heading, is_object=True)


@register.inclusion_tag("audit/_history.html", takes_context=True)
def history_of_kind(context: Context, table: str, *, heading: str = "History") -> dict[str, Any]:
    """The last changes of the objects of a kind in the workspace of the page."""
    entries = AuditEntry.objects.filter(object_type=table)
    return _history(context, entries, f"kind={table}", heading, is_object=False)


@register.inclusion_tag("audit/_history.html", takes_context=True)
def history_of_account(context: Context) -> dict[str, Any]:
    """The last changes and sign-ins of the signed-in user, in whichever workspaces they are listed."""
    newest = AuditEntry.objects.about("users", context["user"].pk).newest_first()
    changes: dict[object, AuditEntry] = {}
    # A change has an entry in each workspace of the user, all of the same moment.
    for entry in newest[: MAX_ENTRIES * 5]:
        second = entry.created_at.replace(microsecond=0)
        changes.setdefault((second, entry.action, entry.part, str(entry.changes)), entry)
    lines = describe(list(changes.values())[:MAX_ENTRIES], page_zone(context), linked=False)
    return {"heading": "Recent activity", "lines": lines, "is_object": True}


def _history(
    context: Context, entries: Any, query: str, heading: str, *, is_object: bool
) -> dict[str, Any]:
    workspace, user = context["workspace"], context["user"]
    newest = entries.filter(workspace=workspace).newest_first()[: MAX_ENTRIES + 1]
    lines = describe(newest, page_zone(context), linked=not is_object)
    has_more = len(lines) > MAX_ENTRIES
    return {
        "workspace": workspace,
        "heading": heading,
        "is_object": is_object,
        "lines": lines[:MAX_ENTRIES],
        "query": query,
        "has_more": has_more,
        "may_view_log": has_more and has_capability(user, workspace, Capability.VIEW_AUDIT_LOG),
    }
