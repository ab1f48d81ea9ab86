"""The restore of an address, among those that the user may see."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from restores.models import RestoreRun
from tenancy.http import Request


def restore_or_404(request: Request, slug: str, restore_id: int) -> RestoreRun:
    restores = RestoreRun.objects.visible_to(request.user).with_scope()
    # The page links to the other sets and restores, whose addresses name the workspace.
    linked = ("backup_set__workspace", "before_set__workspace", "retry_of")
    restores = restores.select_related("requested_by", "approved_by", *linked)
    return get_object_or_404(restores, workspace__slug=slug, pk=restore_id)
