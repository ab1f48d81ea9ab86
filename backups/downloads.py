"""Downloads: a set or an export as an archive, and a version as JSON. Secrets of sets are masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import BinaryField
from django.db.models.functions import Substr
from django.http import StreamingHttpResponse

from backups.archive import Archive, pretty_json, safe_name
from backups.models import BackupItem, BackupSet, PolicyExport
from backups.redactions import redacted_payload

#: Contents that are in memory at the same time.
ITEMS_READ = 20
#: Bytes of the archive of an export that are in memory at the same time.
BYTES_READ = 1024 * 1024


def attachment(file_name: str) -> dict[str, str]:
    """Return the headers of a file that browsers save and that nothing stores on the way."""
    return {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Cache-Control": "no-store",
    }


def zip_response(chunks: Iterable[bytes], file_name: str) -> StreamingHttpResponse:
    """Return the answer with an archive."""
    return StreamingHttpResponse(
        chunks, content_type="application/zip", headers=attachment(file_name)
    )


def set_response(backup_set: BackupSet) -> StreamingHttpResponse:
    """Return the answer with the archive of a set."""
    return zip_response(set_archive(backup_set), set_file_name(backup_set))


def export_response(export: PolicyExport) -> StreamingHttpResponse:
    """Return the answer with the archive of an export."""
    response = zip_response(export_archive(export), export.file_name)
    response["Content-Length"] = str(export.size)
    return response


def export_archive(export: PolicyExport) -> Iterator[bytes]:
    """Generate the archive of an export, a part at a time.

    No statement and no transaction stays open while the client reads.

    Raises:
        PolicyExport.DoesNotExist: the export has expired in the meantime.
    """
    stored = PolicyExport.objects.filter(archive__isnull=False)
    for first in range(1, export.size + 1, BYTES_READ):
        part = Substr("archive", first, BYTES_READ, output_field=BinaryField())
        yield bytes(stored.values_list(part, flat=True).get(pk=export.pk))


def set_file_name(backup_set: BackupSet) -> str:
    """Return a file name that says which set the archive has."""
    tenant = safe_name(backup_set.tenant.name)
    return f"{tenant} set {backup_set.pk} {backup_set.started_at:%Y-%m-%d %H%M}.zip"


def set_archive(backup_set: BackupSet) -> Iterator[bytes]:
    """Generate the archive of a set, a few contents at a time.

    No statement and no transaction stays open while the client reads.
    """
    items = backup_set.items.filter(version__isnull=False)
    ids = list(items.order_by("kind", "name", "id").values_list("pk", flat=True))
    with Archive() as archive:
        for first in range(0, len(ids), ITEMS_READ):
            batch = BackupItem.objects.select_related("version__redaction").in_bulk(
                ids[first : first + ITEMS_READ]
            )
            for item_id in ids[first : first + ITEMS_READ]:
                _add(archive, batch[item_id])
                yield archive.take()
        yield archive.close(
            {
                "tenant": backup_set.tenant.name,
                "tenant_id": str(backup_set.tenant.external_id),
                "backup_set": backup_set.pk,
                "status": backup_set.status,
                "started_at": backup_set.started_at.isoformat(timespec="seconds"),
                "missing_kinds": backup_set.missing_kinds,
                "note": "Secrets are masked.",
            }
        )


def _add(archive: Archive, item: BackupItem) -> None:
    assert item.version
    archive.add(
        kind=item.kind,
        name=item.name,
        graph_id=item.graph_id,
        payload=redacted_payload(item.version),
        missing=list(item.missing),
    )


def item_file_name(item: BackupItem, backup_set: BackupSet) -> str:
    """Return a file name that says which object and which set the file has."""
    return f"{safe_name(item.name)} set {backup_set.pk}.json"


def item_file(item: BackupItem) -> bytes:
    """Return the content of an object as a JSON file."""
    return pretty_json(redacted_payload(item.version) if item.version else None)
