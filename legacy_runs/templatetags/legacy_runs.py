"""Template tags about legacy runs, for the navigation."""

from __future__ import annotations

from django import template
from django.template import Context

from tenancy.models import Workspace

register = template.Library()


@register.simple_tag(takes_context=True)
def has_legacy_runs(context: Context, workspace: Workspace) -> bool:
    """Return whether the workspace has legacy runs; the menu has read it."""
    menu = context.get("workspaces") or ()
    return any(row.pk == workspace.pk and row.has_legacy_runs for row in menu)
