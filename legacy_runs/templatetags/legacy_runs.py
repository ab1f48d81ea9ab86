"""Whether a workspace has legacy runs, for the navigation."""

from __future__ import annotations

from django import template

from legacy_runs.models import HistoryEntry
from tenancy.models import Workspace

register = template.Library()


@register.filter
def has_legacy_runs(workspace: Workspace) -> bool:
    """Whether legacy runs were imported into the workspace; three index lookups."""
    return HistoryEntry.objects.filter(workspace=workspace).exists()
