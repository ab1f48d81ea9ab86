"""Places in which a secret could end: each function yields names of places and their texts."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from backups.models import BackupSet, PolicyExport
from dev.services.postgres import find_programs
from inventory.models import Policy
from notifications.models import NotificationDelivery, NotificationRule, WebhookEndpoint
from operations.models import OperationRun
from providers.models import ProviderConnection
from restores.models import RestoreItem, RestoreRun
from tenancy.models import Tenant
from tests.isolation.admin_pages import REGISTERED
from tests.isolation.leak_forms import FAILURES
from tests.support.api_routes import API_ROUTES
from tests.support.broker import Broker
from tests.support.exports import LISTS, SEPARATE
from tests.support.otlp import Collector
from tests.support.receiver import Receiver
from tests.support.routes import OPEN, ROUTES, public_address
from tests.support.stack import database_url

Place = tuple[str, str]
#: Contents that are stored as they were read, because restores need them: this column is not searched.
RAW_TABLE, RAW_COLUMN = "policy_versions", "payload"


def tables() -> Iterator[Place]:
    """Yield the rows of each table, without the contents of policies."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in cursor.fetchall():
            row = "to_jsonb(t)" + (f" - '{RAW_COLUMN}'" if table == RAW_TABLE else "")
            cursor.execute(f'SELECT ({row})::text FROM "{table}" t')
            yield f"table {table}", "\n".join(value for (value,) in cursor.fetchall())


def dump() -> Iterator[Place]:
    """Yield what `pg_dump` writes, without the contents of policies."""
    command = [
        str(find_programs() / "pg_dump"),
        f"--exclude-table-data={RAW_TABLE}",
        database_url(),
    ]
    run = subprocess.run(command, capture_output=True, check=True)
    yield "pg_dump", run.stdout.decode(errors="replace")


def broker_keys(broker: Broker) -> Iterator[Place]:
    """Yield each key of the broker with its value."""
    for key in broker.execute("KEYS", "*"):
        name = key.decode(errors="replace")
        kind = broker.execute("TYPE", key).decode()
        reads = {
            "string": ("GET", key),
            "list": ("LRANGE", key, "0", "-1"),
            "set": ("SMEMBERS", key),
            "zset": ("ZRANGE", key, "0", "-1"),
            "hash": ("HGETALL", key),
        }
        yield f"broker key {name}", f"{name} {broker.execute(*reads[kind])}"


def files(folder: Path) -> Iterator[Place]:
    """Yield each file of a folder."""
    for file in folder.iterdir():
        yield f"file {file.name}", file.read_text()


def webhooks(receiver: Receiver) -> Iterator[Place]:
    """Yield each webhook that was received, without its address, which is a secret of the receiver."""
    for request in receiver.received:
        yield "webhook", f"{request.headers}\n{request.body.decode()}"


def traces(collector: Collector) -> Iterator[Place]:
    """Yield the spans that were sent."""
    yield "trace", "\n".join(str(span) for span in collector.spans)


class MailSink:
    """A mail server that keeps every message."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(envelope.content)
        return "250 OK"

    def places(self) -> Iterator[Place]:
        """Yield each message: its headers as sent, and its decoded parts."""
        for content in self.messages:
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
            yield (
                "mail",
                "\n".join(
                    [content.decode(errors="replace"), str(message["subject"]), *map(str, parts)]
                ),
            )


def pages(client: Client, addresses: Iterable[str]) -> Iterator[Place]:
    """Yield what this client gets from these addresses: pages, errors, exports and downloads."""
    for address in addresses:
        response = client.get(address)
        assert response.status_code not in FAILURES, address
        content = response.getvalue()
        if response.headers.get("Content-Type") != "application/zip":
            yield f"page {address}", content.decode(errors="replace")
            continue
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield f"archive {address}", f"{name}\n{archive.read(name).decode()}"


def admin_addresses(rows: int) -> Iterator[str]:
    """Yield the pages of Django's admin: each list, each form, and the newest rows with their history."""
    for model in REGISTERED:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_add")
        for pk in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:rows]:
            for page in ("change", "history", "delete"):
                yield reverse(f"{name}_{page}", args=[pk])


def addresses(tenant: Tenant) -> Iterator[str]:
    """Yield the addresses: each route that shows something, with each object that it can show."""
    slug = tenant.workspace.slug
    newest = BackupSet.objects.filter(items__complete=True).order_by("-pk").first()
    assert newest
    newest_restore = RestoreRun.objects.order_by("-pk").first()
    one: dict[str, Any] = {
        "slug": slug,
        "tenant_id": tenant.pk,
        "set_id": newest.pk,
        "schedule_id": newest.schedule_id,
        "connection_id": ProviderConnection.objects.get(tenant=tenant).pk,
    }
    if newest_restore:
        one["restore_id"] = newest_restore.pk
    several: dict[str, list[int]] = {
        "run_id": _ids(OperationRun.objects.filter(tenant=tenant)),
        "item_id": _ids(newest.items),
        "policy_id": _ids(Policy.objects),
        "restore_item_id": _ids(RestoreItem.objects.filter(restore=newest_restore)),
        "export_id": _ids(PolicyExport.objects),
        "endpoint_id": _ids(WebhookEndpoint.objects),
        "delivery_id": _ids(NotificationDelivery.objects),
        "rule_id": _ids(NotificationRule.objects),
    }
    for name in sorted(OPEN - {"sign_out", "theme"}):
        yield public_address(name)
    for route in ROUTES:
        if not route.post and not route.staff:
            yield from _addresses_of(route.name, route.ids, one, several)
    for operation in API_ROUTES:
        if operation.method == "get":
            yield from _addresses_of(f"api:{operation.name}", operation.ids, one, several)
    for name in LISTS:
        args = {"slug": slug} | ({"tenant_id": tenant.pk} if name == "tenant_run_list" else {})
        if name not in SEPARATE:
            yield reverse(name, kwargs=args) + "?format=csv"


def _ids(rows: Any) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _addresses_of(
    route: str, names: tuple[str, ...], one: dict[str, Any], several: dict[str, list[int]]
) -> Iterator[str]:
    if not set(names) <= one.keys() | several.keys():
        return
    repeated = [name for name in names if name in several]
    for value in several[repeated[0]] if repeated else [None]:
        ids = one | dict.fromkeys(repeated, value)
        yield reverse(route, kwargs={name: ids[name] for name in names})
