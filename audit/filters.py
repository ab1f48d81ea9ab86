"""The filters of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db.models import Q

from audit.models import AuditEntry, AuditEntryQuerySet
from audit.presentation import action_choices, kind_choices
from audit.registry import audited_tables
from tenancy.filtering import ListFilter, end_of, start_of
from tenancy.models import Tenant, User, Workspace
from tenancy.times import display_zone
from web.ids import parse_id
from web.term_search import SHORTEST_TERM, TermIndex, TermSearch


class _ObjectKeys:
    """The keys of objects: a table and an id, such as “tenants/7”."""

    def __contains__(self, key: object) -> bool:
        table, _, object_id = str(key).partition("/")
        return table in audited_tables() and parse_id(object_id) is not None


class AuditFilter(ListFilter):
    """The entries of a workspace, narrowed by the parameters of an address.

    `listed` has none if a parameter is invalid. `object_key` is set while the list shows the history
    of one object.
    """

    def __init__(self, params: Mapping[str, Any], workspace: Workspace, user: User) -> None:
        super().__init__(params)
        zone = display_zone(user, workspace)
        scope, conditions = AuditEntry.objects.filter(workspace=workspace), Q()
        terms = []
        if search := self.text("Object, user, address or reference"):
            conditions &= (
                Q(object_name__icontains=search)
                | Q(part__icontains=search)
                | Q(user_name__icontains=search)
                | Q(reference__iexact=search)
                | Q(address__startswith=search)
            )
        if kind := self.choice("kind", "Kind", kind_choices(), empty="Any kind"):
            conditions &= Q(object_type=kind)
            terms.append(f"kind {kind}")
        if action := self.choice("action", "Action", action_choices(), empty="Any action"):
            conditions &= Q(action=action)
            terms.append(f"action {action}")
        if tenant := self.tenant(Tenant.objects.filter(workspace=workspace)):
            conditions &= Q(tenant_id=tenant.pk)
            terms.append(f"tenant {tenant.pk}")
        since = self.day("since", "From")
        hour = self.hour("since_hour", "From hour", has_day=bool(since))
        if since:
            scope = scope.filter(created_at__gte=start_of(since, hour, zone))
        until = self.day("until", "To")
        hour = self.hour("until_hour", "To hour", has_day=bool(until))
        if until:
            scope = scope.filter(created_at__lt=end_of(until, hour, zone))
        self.object_key = self.hidden("object", "Object", _ObjectKeys())
        if self.object_key:
            scope = scope.about(*self.object_key.split("/"))
        if self.errors:
            scope = scope.none()
        having_terms = None
        if terms or len(search) >= SHORTEST_TERM:
            terms.append(f"workspace {workspace.pk}")
            having_terms = partial(entries_with_terms, search, *terms)
        self.listed: TermSearch[AuditEntryQuerySet] = TermSearch(scope, conditions, having_terms)


_TERMS = TermIndex(
    "audit_terms",
    "audit_entry_terms",
    (
        "workspace_id",
        "tenant_id",
        "object_type",
        "action",
        "object_name",
        "part",
        "user_name",
        "address",
        "reference",
    ),
)


def entries_with_terms(text: str, *others: str) -> Q:
    """Return a condition of the index: more entries satisfy it than those with the text.

    `others` are terms that the entries have besides those of the text.
    """
    reference = f"reference {text.upper()}" if text else ""
    return _TERMS.having(text, *others, whole=reference)
