"""Read and download exports of policies."""

from __future__ import annotations

import logging

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from api.paging import BY_CREATION, page_by_time
from api.problems import ApiError
from api.requests import ApiRequest, ListParameters
from api.schemas import ARCHIVE, Export, Id, Listed
from backups import downloads
from backups.models import PolicyExport
from tenancy.capabilities import require_capability
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Capability

router = Router(tags=["Exports"])
log = logging.getLogger(__name__)


class ExportParameters(ListParameters):
    tenant: Id | None = Field(None, description="Only exports of the tenant with this id.")
    run: Id | None = Field(None, description="Only the export of the run with this id.")


@router.get("exports", response=Listed[Export])
def export_list(request: ApiRequest, parameters: Query[ExportParameters]) -> Listed[Export]:
    """List exports, newest first."""
    require_capability(request.user, request.workspace, Capability.EXPORT_POLICIES)
    exports = _exports(request)
    if parameters.tenant:
        exports = exports.filter(tenant=parameters.tenant)
    if parameters.run:
        exports = exports.filter(operation_run=parameters.run)
    return page_by_time(exports, parameters, BY_CREATION, Export.of)


@router.get("exports/{int:export_id}", response=Export)
def export_detail(request: ApiRequest, export_id: int) -> Export:
    """Get an export."""
    return Export.of(_export_or_404(request, export_id))


@router.get("exports/{int:export_id}/download", response={200: None}, openapi_extra=ARCHIVE)
def export_download(request: ApiRequest, export_id: int) -> StreamingHttpResponse:
    """Download the archive of an export. The answer is 410 after it has expired."""
    export = _export_or_404(request, export_id)
    if export.is_expired:
        detail = "The archive has expired. Export the policies again."
        raise ApiError(410, "export_expired", detail)
    log.info("export %s downloaded by %s", export.pk, request.user.username)
    return downloads.export_response(export)


def _exports(request: ApiRequest) -> WorkspaceScopedQuerySet[PolicyExport]:
    exports = PolicyExport.objects.visible_to(request.user).filter(workspace=request.workspace)
    return exports.defer("archive").select_related("tenant")


def _export_or_404(request: ApiRequest, export_id: int) -> PolicyExport:
    export: PolicyExport = get_object_or_404(_exports(request), pk=export_id)
    require_capability(request.user, request.workspace, Capability.EXPORT_POLICIES)
    return export
