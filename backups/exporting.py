"""Export selected policies as an archive to download."""

from __future__ import annotations

import datetime as dt
import hashlib

from django.conf import settings
from django.db import connection

from backups.archive import Archive, ArchiveTooLarge, safe_name
from backups.models import PolicyExport
from backups.selections import captures, key_of, selected_of
from inventory.models import Policy
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from tenancy.db import database_now, run_prepared

MEGABYTE = 1024 * 1024

# Django would write the archive into the text of the statement, which takes several times its size.
_STORE = """
INSERT INTO policy_exports (workspace_id, tenant_id, operation_run_id, file_name, archive, size,
                            sha256, item_count, incomplete_count, created_at, expires_at)
VALUES (%(workspace)s, %(tenant)s, %(run)s, %(file_name)s, %(archive)s, %(size)s,
        %(sha256)s, %(items)s, %(incomplete)s, %(now)s, %(expires_at)s)
RETURNING id
"""


def export(run: ActiveRun, client: GraphClient) -> PolicyExport | None:
    """Read the selected policies and store them as an archive; None if none could be read.

    Raises:
        SafeError: `export_too_large`.
    """
    policies = selected_of(run)
    run.expect(len(policies))
    try:
        with Archive(settings.POLICY_EXPORT_MAX_MB * MEGABYTE) as archive:
            incomplete = _fill(archive, run, client, policies)
            if not archive.count:
                return None
            return _store(run, archive, incomplete)
    except ArchiveTooLarge:
        raise SafeError("export_too_large", megabytes=settings.POLICY_EXPORT_MAX_MB) from None


def _fill(archive: Archive, run: ActiveRun, client: GraphClient, policies: list[Policy]) -> int:
    """Add every policy that can be read; return the number of incomplete ones."""
    incomplete = 0
    for policy, kind, captured in captures(run, client, policies):
        archive.add(
            kind=kind.key,
            name=policy.name,
            graph_id=policy.graph_id,
            payload=captured.payload,
            missing=captured.missing,
        )
        link = policy.get_absolute_url()
        if captured.complete:
            run.report_success(key_of(policy), label=policy.name, link=link)
        else:
            incomplete += 1
            error = SafeError("incomplete_capture", missing=", ".join(captured.missing))
            run.report_failure(key_of(policy), error, label=policy.name, link=link)
    return incomplete


def _store(run: ActiveRun, archive: Archive, incomplete: int) -> PolicyExport:
    now = database_now()
    body = archive.close(
        {
            "tenant": run.tenant.name,
            "tenant_id": str(run.tenant.external_id),
            "run": run.id,
            "exported_at": now.isoformat(timespec="seconds"),
            "by": run.run.initiator_name,
        }
    )
    values = {
        "workspace": run.workspace.pk,
        "tenant": run.tenant.pk,
        "run": run.id,
        "file_name": f"{safe_name(run.tenant.name)} policies {now:%Y-%m-%d %H%M}.zip",
        "archive": body,
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "items": archive.count,
        "incomplete": incomplete,
        "now": now,
        "expires_at": now + dt.timedelta(days=settings.POLICY_EXPORT_KEEP_DAYS),
    }
    ((export_id,),) = run_prepared(_STORE, values)
    return PolicyExport.objects.defer("archive").get(pk=export_id)


def delete_expired_archives() -> int:
    """Delete the files of expired exports but not their rows; return their number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE policy_exports SET archive = NULL"
            " WHERE archive IS NOT NULL AND expires_at <= clock_timestamp()"
        )
        return int(cursor.rowcount)
