"""Whether a workspace has history, for the navigation."""

from __future__ import annotations

from django import template

from legacy_runs.models import HistoryEntry
from tenancy.models import Workspace

register = template.Library()


@register.filter
def has_history(workspace: Workspace) -> bool:
    """Whether anything was imported into the workspace; a look into three indexes."""
    return HistoryEntry.objects.filter(workspace=workspace).exists()
