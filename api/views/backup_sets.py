"""Read and download backup sets."""

from __future__ import annotations

import logging

from django.db.models import Q
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from api.paging import BY_START, page_by_number, page_by_time
from api.requests import ApiRequest, ListParameters, one_of
from api.schemas import ARCHIVE, BackupItemOut, BackupSetOut, Id, Listed
from api.views.tenants import SearchParameters
from backups import downloads
from backups.models import BackupSet, SetStatus
from providers.graph.kinds import KINDS
from tenancy.capabilities import require_capability
from tenancy.roles import Capability

router = Router(tags=["Backup sets"])
log = logging.getLogger(__name__)


class BackupSetParameters(ListParameters):
    tenant: Id | None = Field(None, description="Only sets of the tenant with this id.")
    status: one_of(SetStatus.choices) = Field(None, description="Only sets in this state.")  # type: ignore[valid-type]


class BackupItemParameters(SearchParameters):
    kind: one_of(KINDS) = Field(None, description="Only items of this kind.")  # type: ignore[valid-type]


@router.get("backup-sets", response=Listed[BackupSetOut])
def backup_set_list(
    request: ApiRequest, parameters: Query[BackupSetParameters]
) -> Listed[BackupSetOut]:
    """List backup sets, newest first."""
    sets = BackupSet.objects.visible_to(request.user).filter(workspace=request.workspace)
    if parameters.tenant:
        sets = sets.filter(tenant=parameters.tenant)
    if parameters.status:
        sets = sets.filter(status=parameters.status)
    return page_by_time(sets.select_related("tenant"), parameters, BY_START, BackupSetOut.of)


@router.get("backup-sets/{int:set_id}", response=BackupSetOut)
def backup_set_detail(request: ApiRequest, set_id: int) -> BackupSetOut:
    """Get a backup set."""
    return BackupSetOut.of(set_or_404(request, set_id))


@router.get("backup-sets/{int:set_id}/items", response=Listed[BackupItemOut])
def backup_item_list(
    request: ApiRequest, set_id: int, parameters: Query[BackupItemParameters]
) -> Listed[BackupItemOut]:
    """List the items of a backup set by id."""
    items = set_or_404(request, set_id).items.all()
    if parameters.q:
        items = items.filter(Q(name__icontains=parameters.q) | Q(graph_id=parameters.q))
    if parameters.kind:
        items = items.filter(kind=parameters.kind)
    return page_by_number(items, parameters, BackupItemOut.of)


@router.get("backup-sets/{int:set_id}/download", response={200: None}, openapi_extra=ARCHIVE)
def backup_set_download(request: ApiRequest, set_id: int) -> StreamingHttpResponse:
    """Download the contents of a backup set as an archive. Secrets are masked."""
    backup_set = set_or_404(request, set_id)
    require_capability(request.user, request.workspace, Capability.EXPORT_POLICIES)
    log.info("backup set %s downloaded by %s", backup_set.pk, request.user.username)
    return downloads.set_response(backup_set)


def set_or_404(request: ApiRequest, set_id: int) -> BackupSet:
    """Return a backup set of the token's workspace, or raise 404."""
    sets = BackupSet.objects.visible_to(request.user).with_scope()
    backup_set: BackupSet = get_object_or_404(sets, workspace=request.workspace, pk=set_id)
    return backup_set
