"""The restore of an address, among those that the user may see."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from restores.models import RestoreRun
from tenancy.http import Request


def restore_or_404(request: Request, slug: str, restore_id: int) -> RestoreRun:
    restores = RestoreRun.objects.visible_to(request.user).with_scope()
    restores = restores.select_related("requested_by", "approved_by", "before_set", "retry_of")
    return get_object_or_404(restores, workspace__slug=slug, pk=restore_id)
