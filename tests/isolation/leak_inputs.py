"""Plants secrets in what the product takes; forms are in `leak_forms`."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from audit.events import record
from backups.models import BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from dev.labeled import draw
from dev.labeled.secrets import new_rng
from inventory import services as inventory_services
from legacy_runs.models import TABLES
from notifications.models import WebhookEndpoint
from notifications.webhooks import send_webhooks
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.testing import run_now
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.isolation.leak_forms import FAILURES
from tests.support.api_routes import API_ROUTES, document, send
from tests.support.factories.legacy_runs import source_row
from tests.support.factories.notifications import add_endpoint, create_webhook
from tests.support.receiver import Receiver, Reply

Json = dict[str, Any]
#: Objects that one policy carries, and texts.
OBJECTS_OF_A_POLICY = TEXTS_OF_A_POLICY = 12
#: Of a backup, until a fault has happened in one.
TRIES = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planted:
    """What is planted. `of_each_shape` has one text of each, which inputs with a cost per text take.

    `credentials` are in no text: the product masks them wherever they are, once it has them.
    """

    texts: list[str]
    of_each_shape: list[str]
    objects: list[Json]
    credentials: list[str]

    def changed(self) -> Planted:
        """Return the same in another order, so that the objects with the same ids have changed."""
        texts, names = self.texts, self.of_each_shape
        return replace(self, texts=texts[1:] + texts[:1], of_each_shape=names[1:] + names[:1])


def plant_objects(graph: SandboxControl, tenant: Tenant, planted: Planted) -> None:
    """Put the objects and the texts into the tenant, or change those that are there.

    The texts are names, descriptions and properties of policies and of groups.
    """
    rng = new_rng("ids")
    policies = [
        ("windows10CustomConfiguration", {"displayName": "Policy", "parts": objects})
        for objects in _parts(planted.objects, OBJECTS_OF_A_POLICY)
    ]
    names = planted.of_each_shape
    for number, texts in enumerate(_parts(planted.texts, TEXTS_OF_A_POLICY)):
        notes = {f"note{number}": text for number, text in enumerate(texts)}
        place = number % len(names)
        named = {"displayName": names[place], "description": names[-1 - place]}
        policies.append(("windows10GeneralConfiguration", notes | named))
    for odata_type, properties in policies:
        entry = {"@odata.type": f"#microsoft.graph.{odata_type}", "id": draw.guid(rng)}
        graph.put_object(tenant.external_id, "device_configuration", entry | properties)
    for number, name in enumerate(names):
        entry = {"id": draw.guid(rng), "displayName": name, "description": names[-1 - number]}
        for kind in ("groups", "role_definitions"):
            graph.put_object(tenant.external_id, kind, entry)


def _parts(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def plant_answers(
    graph: SandboxControl,
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    texts: Iterable[str],
) -> None:
    """Let Microsoft answer with the texts: in errors, in addresses, and at the sign-in."""
    tenant_id = schedule.tenant.external_id
    for text in texts:
        answers: dict[str, Json] = {
            "forbid": {"permission": text},
            "redirect": {"url": f"https://graph.example.net/?error={quote(text)}"},
            "sign_in_proxy": {"status": 400, "json": {"error": text, "error_description": text}},
        }
        for fault, options in answers.items():
            graph.forget_tokens(tenant_id)
            graph.fault(tenant_id, fault, times=1, **options)
            # A run may fail before it asks, for example if a loaded machine answers too late.
            runs = [back_up(schedule)]
            while graph.faults() and len(runs) < TRIES:
                runs.append(back_up(schedule))
            failures = [run.failure_summary for run in runs]
            assert not graph.faults(), f"{fault} did not happen: {failures}"


def plant_reasons(tenant: Tenant, owner: User, texts: Iterable[str]) -> None:
    """Cancel runs with the texts as reasons; the last run stays queued."""
    for text in texts:
        run = _start_sync(tenant, owner)
        OperationRunService().request_cancel(run, by=owner, reason=text)
    _start_sync(tenant, owner)


def _start_sync(tenant: Tenant, owner: User) -> OperationRun:
    run_type = OperationRunType.DIRECTORY_GROUPS_SYNC
    return inventory_services.start_sync(run_type, tenant, by=owner).run


def plant_log_lines(owner: User, texts: Iterable[str]) -> None:
    """Write the texts to the log and to the audit log."""
    for text in texts:
        record("signed_in", user=owner, subject=text[:300], details={"note": text, "list": [text]})
        log.warning("failed: %s", text)
        structlog.get_logger("leaks").warning("failed", detail=text)
        try:
            raise RuntimeError(text)  # noqa: TRY301 - planted on purpose
        except RuntimeError:
            log.exception("failed")


def plant_credentials(tenant: Tenant, secrets: Iterable[str]) -> None:
    """Store the secrets as the credential of the tenant's connection, one after the other."""
    connection = ProviderConnection.objects.get(tenant=tenant)
    for secret in secrets:
        connection.set_credential(secret)


def plant_webhooks(receiver: Receiver, tenant: Tenant, texts: Iterable[str], secret: str) -> str:
    """Let a receiver, whose address has the secret, answer with the texts; return the signing secret."""
    endpoint, signing_secret = add_endpoint(tenant.workspace, f"{receiver.url}?token={secret}")
    for text in texts:
        receiver.replies.append(Reply(400, text.encode()))
        create_webhook(tenant, endpoint)
        send_webhooks()
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(retry_at=None)
    assert not receiver.replies
    return signing_secret


def plant_legacy_runs(folder: Path, tenant: Tenant, texts: Sequence[str]) -> None:
    """Import a CSV file with the texts; some of its rows are rejected and written to a file."""
    rows = [
        source_row(
            tenant, id=number if number % 5 else "x", selection_payload=json.dumps({"note": text})
        )
        for number, text in enumerate(texts, 1)
    ]
    file = folder / "rows.csv"
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(CommandError, match="Rejected rows"):
        call_command(
            "import_legacy_runs",
            csv=[f"{next(iter(TABLES))}={file}"],
            rejects=str(folder / "rejects"),
            stdout=io.StringIO(),
            stderr=io.StringIO(),
        )


def plant_requests(client: Client, api: Client, slug: str, texts: Iterable[str]) -> None:
    """Send the texts in the headers and parameters of requests that read."""
    for text in texts:
        value = " ".join(text.split())
        names = ("User-Agent", "Referer", "X-Forwarded-For", "X-Request-ID", "Accept-Language")
        headers = dict.fromkeys((*names, "Idempotency-Key", "If-None-Match", "traceparent"), value)
        parameters = dict.fromkeys(("q", "cursor", "sort", "since", "next"), text)
        for sender, address in (
            (client, reverse("run_list", args=[slug])),
            (client, f"/{quote(text[:200], safe='')}"),
            (api, reverse("api:run_list")),
            (Client(), reverse("api:tenant_list")),
        ):
            if sender is not client and sender is not api:
                headers = headers | {"Authorization": f"Bearer {value}"}
            answer = sender.get(address, parameters, headers=headers)
            assert answer.status_code not in FAILURES, (address, answer.status_code, text)


#: Bodies with a text, where those of the table of operations have none.
_BODIES: dict[str, Callable[[Json], Json]] = {
    "run_start": lambda ids: {
        "type": "backup_set.add_policies",
        "tenant": ids["tenant_id"],
        "policies": ids["policy_ids"],
    }
}


def plant_bodies(
    api: Client, ids: Json, renew: Callable[[str, str], int | None], texts: Sequence[str]
) -> int:
    """Send the texts in each text of each body of the API; return the number of these texts."""
    count = 0
    for route in API_ROUTES:
        for name, limit in _texts_of(route.name).items():
            count += 1
            for text in texts:
                if len(text) > limit:
                    continue
                own = ids | {key: renew(route.name, key) or ids.get(key) for key in route.ids}
                body = (_BODIES.get(route.name) or route.body or dict)(own) | {name: text}
                answer = send(api, route.method, route.url(own), body)
                assert answer.status_code not in FAILURES, (
                    route.name,
                    name,
                    answer.status_code,
                    text,
                )
    return count


def _texts_of(operation: str) -> dict[str, int]:
    """Return the names and lengths of the texts in the body of an operation."""
    for operations in document()["paths"].values():
        for described in operations.values():
            if described["operationId"] == operation and "requestBody" in described:
                content = described["requestBody"]["content"]["application/json"]
                return dict(_texts_in(content["schema"]))
    return {}


def _texts_in(schema: Json) -> Iterable[tuple[str, int]]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        yield from _texts_in(document()["components"]["schemas"][name])
    for key in ("anyOf", "oneOf"):
        for choice in schema.get(key, []):
            yield from _texts_in(choice)
    for name, value in schema.get("properties", {}).items():
        for choice in (value, *value.get("anyOf", [])):
            if choice.get("type") == "string" and not {"enum", "const"} & choice.keys():
                yield name, choice.get("maxLength", 200)


def export_policies(api: Client, tenant: Tenant, policies: list[int]) -> None:
    """Export policies to an archive, by the API."""
    body = {"type": "policy.export", "tenant": tenant.pk, "policies": policies}
    answer = send(api, "post", reverse("api:run_start"), body)
    assert answer.status_code == 201, answer.content
    run_now(OperationRun.objects.get(pk=answer.json()["id"]))
