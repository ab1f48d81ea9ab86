"""Canaries of every shape, planted in what the product takes, are in nothing that it writes or shows.

`make leak-test` plants every form of every shape; the suite plants one of each. The contents of
policies are stored as they were read, because restores need them: that column, and dumps of it, are
the only place with canaries (docs/security.md).

A new input, such as the body of a request, is planted by a function `plant_…` that the test calls.
A new place is a function in `leak_places` that yields its name and its text.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import socket
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiosmtpd.controller import Controller
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from audit.events import record
from backups.models import BackupSchedule, BackupSet, PolicyVersion
from config.logging import logging_config
from dev.graph_sandbox.control import SandboxControl
from dev.labeled import draw, payloads, secrets
from inventory import services as inventory_services
from inventory.models import Policy
from legacy_runs.models import TABLES
from notifications.mail import send_emails
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.testing import run_now
from operations.types import OperationRunType
from providers.models import ProviderConnection
from redaction import known_secrets
from redaction.known_secrets import KnownSecrets
from tenancy.models import Tenant, User
from tests.isolation.admin_pages import create_staff
from tests.isolation.leak_forms import plant_in_forms
from tests.isolation.leak_places import RAW_TABLE, MailSink, admin_addresses, broker_keys, dump
from tests.support.api_routes import API_ROUTES
from tests.support.broker import Broker
from tests.support.exports import LISTS, SEPARATE
from tests.support.factories.legacy_runs import source_row
from tests.support.factories.notifications import create_delivery
from tests.support.routes import ROUTES
from tests.support.sessions import open_session
from tests.support.tokens import open_api

pytestmark = [
    pytest.mark.direct,  # pg_dump needs a server connection
    pytest.mark.django_db(transaction=True),  # and sees only what is committed
]
IS_WHOLE = os.environ.get("LEAK_TEST") == "whole"
#: Shorter secrets occur in ids and times by chance.
MIN_LENGTH = 8
#: Texts and objects that one policy carries.
TEXTS_OF_A_POLICY, OBJECTS_OF_A_POLICY = (12, 1) if IS_WHOLE else (40, 10)
#: Stored as read from the tenant; its table is searched without it.
RAW = {RAW_TABLE: "payload"}
#: The forms of the product have at least so many fields for texts.
MIN_FIELDS = 40
log = logging.getLogger(__name__)


@dataclass
class Canaries:
    """The planted secrets, looked up in every usual encoding."""

    shapes: dict[str, str]

    def __post_init__(self) -> None:
        secrets_at_once = known_secrets.MAX_COUNT
        values = list(self.shapes)
        self.registries = []
        for start in range(0, len(values), secrets_at_once):
            self.registries.append(KnownSecrets())
            for secret in values[start : start + secrets_at_once]:
                self.registries[-1].add(secret)

    def leaks(self, place: str, text: str) -> Iterator[str]:
        """Yield where and what leaks, by the shape of the secret."""
        if all(registry.mask(text) == text for registry in self.registries):
            return
        lines = text.splitlines()
        leaking = [
            line for line in lines if any(each.mask(line) != line for each in self.registries)
        ]
        for secret in present(list(self.shapes), "\n".join(leaking) or text):
            yield f"{place}: {self.shapes[secret]}"


def present(values: list[str], text: str) -> Iterator[str]:
    """Yield the secrets that are in a text, by halves."""
    if len(values) <= known_secrets.MAX_COUNT:
        registry = KnownSecrets()
        for secret in values:
            registry.add(secret)
        if registry.mask(text) == text:
            return
    if len(values) == 1:
        yield values[0]
        return
    yield from present(values[: len(values) // 2], text)
    yield from present(values[len(values) // 2 :], text)


@dataclass(frozen=True)
class Planted:
    canaries: Canaries
    texts: list[str]
    objects: list[dict[str, Any]]


@pytest.fixture
def planted() -> Planted:
    """Texts and objects with canaries: every form of every shape, or one of each."""
    rng = secrets.new_rng(os.environ.get("LEAK_TEST_SEED", "leaks"))
    per_shape = 12 if IS_WHOLE else 1
    samples = [*secrets.named(rng, secrets.CONTEXTS, per_shape), *secrets.bare(rng, per_shape)]
    samples = [sample for sample in samples if len(sample.secret) >= MIN_LENGTH]
    shapes = {sample.secret: sample.shape for sample in samples}
    objects = []
    for shape, payload, secret in payloads.secrets(rng, per_shape if IS_WHOLE else 1):
        if len(secret) >= MIN_LENGTH:
            shapes[secret] = f"payload with {shape}"
            objects.append(payload)
    return Planted(Canaries(shapes), [sample.text for sample in samples], objects)


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What production would log."""
    stream = io.StringIO()
    options = dict(logging_config(json=True, level="INFO")["formatters"]["line"])
    del options["()"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**options))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


@pytest.fixture
def mail_sink(settings: Settings) -> Iterator[MailSink]:
    """A mail server that keeps what it gets."""
    sink = MailSink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.SITE_URL = "https://runs.example.com"
    yield sink
    controller.stop()


@pytest.mark.long
def test_no_canary_is_in_anything_that_is_written_or_shown(
    *,
    broker: Broker,
    mail_sink: MailSink,
    tmp_path: Path,
    planted: Planted,
    tenant: Tenant,
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    graph: SandboxControl,
    owner: User,
    client: Client,
    log_lines: io.StringIO,
) -> None:
    BackupSchedule.objects.filter(pk=schedule.pk).update(kinds=["device_configuration"])
    plant_objects(graph, tenant, planted)
    run_now(inventory_services.start_sync(OperationRunType.INVENTORY_SYNC, tenant, by=owner).run)
    back_up(schedule)
    plant_texts(
        graph=graph,
        tenant=tenant,
        schedule=schedule,
        back_up=back_up,
        owner=owner,
        planted=planted,
    )
    stored = "\n".join(map(json.dumps, PolicyVersion.objects.values_list("payload", flat=True)))
    planted_count = sum(json.dumps(secret)[1:-1] in stored for secret in planted.canaries.shapes)
    assert planted_count > len(planted.canaries.shapes) / 2
    plant_legacy_runs(tmp_path, tenant, planted)
    create_delivery(tenant, owner)
    pages = list(addresses(tenant))
    plant_forms(client, owner, pages, planted)
    send_emails()

    canaries = planted.canaries
    client.defaults |= open_api(owner, tenant.workspace).defaults
    leaks = [
        *canaries.leaks("log", log_lines.getvalue()),
        *leaks_of_tables(canaries),
        *leaks_of_pages(canaries, client, owner, pages),
        *leaks_of_pages(canaries, client, superuser(), list(admin_addresses())),
        *leaks_of_files(canaries, tmp_path / "rejects"),
    ]
    for places in (dump(), broker_keys(broker), mail_sink.places()):
        leaks += [leak for place, text in places for leak in canaries.leaks(place, text)]

    assert broker.waiting("sync")
    assert mail_sink.messages
    assert leaks == []


def superuser() -> User:
    return User.objects.filter(is_superuser=True).first() or create_staff(superuser=True)


def plant_forms(client: Client, owner: User, pages: list[str], planted: Planted) -> None:
    """Plant the texts in every field of every form: those of pages, of sign-in, and of the admin."""
    texts, secrets_ = planted.texts, list(planted.canaries.shapes)
    fields = list(plant_in_forms(client, [reverse("account_login")], texts, secrets_))
    open_session(client, owner)
    fields += plant_in_forms(client, pages, texts, secrets_)
    open_session(client, superuser())
    fields += plant_in_forms(client, list(admin_addresses()), texts, secrets_)
    assert len(fields) > MIN_FIELDS


def plant_legacy_runs(folder: Path, tenant: Tenant, planted: Planted) -> None:
    """Import a CSV file with the texts; some of its rows are rejected and written to a file."""
    rows = [
        source_row(
            tenant, id=number if number % 5 else "x", selection_payload=json.dumps({"note": text})
        )
        for number, text in enumerate(planted.texts, 1)
    ]
    file = folder / "rows.csv"
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    call_command(
        "import_legacy_runs",
        csv=[f"{next(iter(TABLES))}={file}"],
        rejects=str(folder / "rejects"),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )


def leaks_of_files(canaries: Canaries, folder: Path) -> Iterator[str]:
    for file in folder.iterdir():
        yield from canaries.leaks(f"file {file.name}", file.read_text())


def plant_objects(graph: SandboxControl, tenant: Tenant, planted: Planted) -> None:
    """Put the objects, and policies with the texts in all their properties, into the tenant."""
    rng = secrets.new_rng("ids")
    for start in range(0, len(planted.objects), OBJECTS_OF_A_POLICY):
        entry: dict[str, Any] = {
            "@odata.type": "#microsoft.graph.windows10CustomConfiguration",
            "id": draw.guid(rng),
            "displayName": "Policy",
            "parts": planted.objects[start : start + OBJECTS_OF_A_POLICY],
        }
        graph.put_object(tenant.external_id, "device_configuration", entry)
    for start in range(0, len(planted.texts), TEXTS_OF_A_POLICY):
        texts = planted.texts[start : start + TEXTS_OF_A_POLICY]
        entry = {f"note{number}": text for number, text in enumerate(texts)} | {
            "@odata.type": "#microsoft.graph.windows10GeneralConfiguration",
            "id": draw.guid(rng),
            "displayName": texts[0],
            "description": texts[-1],
        }
        graph.put_object(tenant.external_id, "device_configuration", entry)


def plant_texts(
    *,
    graph: SandboxControl,
    tenant: Tenant,
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    owner: User,
    planted: Planted,
) -> None:
    """Plant the texts in error bodies, reasons, credentials, audit entries and log lines."""
    for text in planted.texts[:: len(planted.texts) // 3]:
        graph.fault(tenant.external_id, "forbid", permission=text, times=1)
        back_up(schedule)
        graph.clear(tenant.external_id)
        run = inventory_services.start_sync(
            OperationRunType.DIRECTORY_GROUPS_SYNC, tenant, by=owner
        ).run
        OperationRunService().request_cancel(run, by=owner, reason=text)
    for text in planted.texts:
        record("signed_in", user=owner, subject=text[:300], details={"note": text, "list": [text]})
        log.warning("failed: %s", text)
        structlog.get_logger("leaks").warning("failed", detail=text)
        try:
            raise RuntimeError(text)  # noqa: TRY301 - planted on purpose
        except RuntimeError:
            log.exception("failed")
    ProviderConnection.objects.get(tenant=tenant).set_credential(
        next(iter(planted.canaries.shapes))
    )


def leaks_of_tables(canaries: Canaries) -> Iterator[str]:
    """Search every row of every table, as a dump has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            row = "to_jsonb(t)" + (f" - '{RAW[table]}'" if table in RAW else "")
            cursor.execute(f'SELECT ({row})::text FROM "{table}" t')
            text = "\n".join(value for (value,) in cursor.fetchall())
            yield from canaries.leaks(f"table {table}", text)


def leaks_of_pages(
    canaries: Canaries, client: Client, user: User, pages: Iterable[str]
) -> Iterator[str]:
    """Search these pages, exports and downloads as this user."""
    open_session(client, user)
    for address in pages:
        response = client.get(address)
        if response.status_code != 200:
            continue
        content = response.getvalue()
        text = content.decode(errors="replace")
        if response["Content-Type"] == "application/zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                text = "\n".join(archive.read(name).decode() for name in archive.namelist())
        yield from canaries.leaks(f"page {address}", text)


def addresses(tenant: Tenant) -> Iterator[str]:
    """Yield the addresses: each route that shows something, with each object that it can show."""
    slug = tenant.workspace.slug
    newest = BackupSet.objects.filter(items__complete=True).order_by("-pk").first()
    assert newest
    one = {
        "slug": slug,
        "tenant_id": tenant.pk,
        "set_id": newest.pk,
        "schedule_id": newest.schedule_id,
        "connection_id": ProviderConnection.objects.get(tenant=tenant).pk,
    }
    several = {
        "run_id": list(OperationRun.objects.values_list("pk", flat=True)[:40]),
        "item_id": list(newest.items.values_list("pk", flat=True)),
        "policy_id": list(Policy.objects.values_list("pk", flat=True)),
    }
    for route in ROUTES:
        if route.post or route.staff or not set(route.ids) <= one.keys() | several.keys():
            continue
        yield from _addresses_of(route.name, route.ids, one, several)
    for operation in API_ROUTES:
        if operation.method == "get" and set(operation.ids) <= one.keys() | several.keys():
            yield from _addresses_of(f"api:{operation.name}", operation.ids, one, several)
    for name in LISTS:
        args = {"slug": slug} | ({"tenant_id": tenant.pk} if name == "tenant_run_list" else {})
        if name not in SEPARATE:
            yield reverse(name, kwargs=args) + "?format=csv"


def _addresses_of(
    route: str, names: tuple[str, ...], one: dict[str, Any], several: dict[str, list[int]]
) -> Iterator[str]:
    repeated = [name for name in names if name in several]
    values = several[repeated[0]] if repeated else [None]
    for value in values:
        ids = one | dict.fromkeys(repeated, value)
        yield reverse(route, kwargs={name: ids[name] for name in names})


def test_a_planted_canary_is_noticed(planted: Planted) -> None:
    """The search itself fails on each form that it looks for."""
    canaries = planted.canaries
    secret, shape = next(iter(canaries.shapes.items()))
    for text in (secret, json.dumps({"x": secret}), secret.encode().hex()):
        assert list(canaries.leaks("here", f"a {text} b")) == [f"here: {shape}"]
