"""The filters of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from audit.models import AuditEntry, AuditEntryQuerySet
from audit.presentation import action_choices, kind_choices
from audit.registry import audited_tables
from tenancy.filtering import ListFilter, end_of, start_of
from tenancy.models import Tenant, User, Workspace
from tenancy.times import display_zone
from web.ids import parse_id


class _ObjectKeys:
    """The keys of objects: a table and an id, such as “tenants/7”."""

    def __contains__(self, key: object) -> bool:
        table, _, object_id = str(key).partition("/")
        return table in audited_tables() and parse_id(object_id) is not None


class AuditFilter(ListFilter):
    """The entries of a workspace, narrowed by the parameters of an address.

    `entries` has none if a parameter is invalid. `object_key` is set while the list shows the
    history of one object.
    """

    def __init__(self, params: Mapping[str, Any], workspace: Workspace, user: User) -> None:
        super().__init__(params)
        zone = display_zone(user, workspace)
        entries = AuditEntry.objects.filter(workspace=workspace)
        if search := self.text("Object, user, address or reference"):
            entries = entries.filter(
                Q(object_name__icontains=search)
                | Q(part__icontains=search)
                | Q(user_name__icontains=search)
                | Q(reference__iexact=search)
                | Q(address__startswith=search)
            )
        if kind := self.choice("kind", "Kind", kind_choices(), empty="Any kind"):
            entries = entries.filter(object_type=kind)
        if action := self.choice("action", "Action", action_choices(), empty="Any action"):
            entries = entries.filter(action=action)
        if tenant := self.tenant(Tenant.objects.filter(workspace=workspace)):
            entries = entries.filter(tenant_id=tenant.pk)
        since = self.day("since", "From")
        hour = self.hour("since_hour", "From hour", has_day=bool(since))
        if since:
            entries = entries.filter(created_at__gte=start_of(since, hour, zone))
        until = self.day("until", "To")
        hour = self.hour("until_hour", "To hour", has_day=bool(until))
        if until:
            entries = entries.filter(created_at__lt=end_of(until, hour, zone))
        self.object_key = self.hidden("object", "Object", _ObjectKeys())
        if self.object_key:
            entries = entries.about(*self.object_key.split("/"))
        self.entries: AuditEntryQuerySet = entries.none() if self.errors else entries
