"""Template filters about legacy runs, for the navigation."""

from __future__ import annotations

from django import template

from legacy_runs.models import LegacyRunEntry
from tenancy.models import Workspace

register = template.Library()


@register.filter
def has_legacy_runs(workspace: Workspace) -> bool:
    """Return whether the workspace has legacy runs; this costs three index lookups."""
    return LegacyRunEntry.objects.filter(workspace=workspace).exists()
