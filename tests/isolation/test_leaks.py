"""Canaries of every shape, planted in what the product takes, are in nothing that it writes or shows.

`make leak-test` plants every form of every shape, and each shape in each input; the suite plants one
form of each shape, and some of them in the inputs that take time for each text. The contents of
policies are stored as they were read, because restores need them: that column, and dumps of it, are
the only place with canaries (docs/security.md).

A new input is a function `plant_…` in `leak_inputs`, a new place one in `leak_places`.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import logging
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from aiosmtpd.controller import Controller
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backups.models import BackupSchedule, PolicyVersion
from config.logging import logging_config
from dev.graph_sandbox.control import SandboxControl
from dev.labeled import payloads, secrets
from dev.services.processes import free_port
from inventory import services as inventory_services
from inventory.models import Policy
from legacy_runs.models import TABLES
from notifications.mail import send_emails
from operations.metrics.counting import record as record_counters
from operations.metrics.counting import update_metrics
from operations.models import OperationRun
from operations.testing import run_now
from operations.types import OperationRunType
from restores import services as restores
from restores.bodies import Options
from telemetry import recording, tracing
from tenancy.models import Tenant, User
from tests.isolation import leak_inputs, leak_places
from tests.isolation.admin_pages import create_staff
from tests.isolation.leak_forms import plant_in_forms
from tests.isolation.leak_inputs import Planted
from tests.isolation.leak_places import MailSink, Place
from tests.isolation.leak_search import DIVIDED_LENGTH, Canaries
from tests.support.broker import Broker
from tests.support.factories import OperationRunFactory, TenantFactory, create_member
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    PolicyVersionFactory,
    finish,
)
from tests.support.factories.notifications import create_delivery
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.otlp import Collector, collector_server
from tests.support.receiver import Receiver
from tests.support.sessions import open_session
from tests.support.tokens import open_api

pytestmark = [
    pytest.mark.direct,  # pg_dump needs a server connection
    pytest.mark.django_db(transaction=True),  # and sees only what is committed
]
IS_WHOLE = os.environ.get("LEAK_TEST") == "whole"
#: Shorter secrets occur in ids and times by chance.
MIN_LENGTH = 8
#: Forms of each shape, and the parts in which the shapes are planted, one on each core.
PER_SHAPE, PARTS = (12, 2) if IS_WHOLE else (1, 1)
#: The newest rows of each model whose admin pages are searched.
ADMIN_ROWS = 20 if IS_WHOLE else 3
#: The forms of the product have at least so many fields for texts, and the bodies of the API.
MIN_FIELDS, MIN_TEXTS = 60, 12


@pytest.fixture(scope="module", params=range(PARTS), ids=lambda part: f"part {part + 1}")
def canaries_and_planted(request: pytest.FixtureRequest) -> tuple[Canaries, Planted]:
    """Every form of every shape, or one of each; each part has its share of the shapes."""

    def share(shapes: Iterable[str]) -> set[str]:
        return set(list(dict.fromkeys(shapes))[request.param :: PARTS])

    def texts(count: int) -> list[secrets.Sample]:
        samples = [*secrets.named(rng, secrets.CONTEXTS, count), *secrets.bare(rng, count)]
        own = share(sample.shape for sample in samples)
        return [each for each in samples if each.shape in own and len(each.secret) >= MIN_LENGTH]

    rng = secrets.new_rng(os.environ.get("LEAK_TEST_SEED", "leaks"))
    samples, credentials = texts(PER_SHAPE), texts(1)
    own = share(payloads.SHAPES)
    objects = [
        (f"payload with {shape}", payload, secret)
        for shape, payload, secret in payloads.secrets(rng, PER_SHAPE)
        if shape in own and len(secret) >= MIN_LENGTH
    ]
    shapes = {sample.secret: sample.shape for sample in samples}
    shapes |= {secret: shape for shape, _, secret in objects}
    shapes |= {sample.secret: f"credential: {sample.shape}" for sample in credentials}
    return Canaries(shapes), Planted(
        texts=[sample.text for sample in samples],
        of_each_shape=list({each.shape: each.text for each in reversed(samples)}.values()),
        objects=[payload for _, payload, _ in objects],
        credentials=[sample.secret for sample in credentials],
    )


@pytest.fixture
def canaries(canaries_and_planted: tuple[Canaries, Planted]) -> Canaries:
    return canaries_and_planted[0]


@pytest.fixture
def planted(canaries_and_planted: tuple[Canaries, Planted]) -> Planted:
    return canaries_and_planted[1]


@dataclass
class Outside:
    """What receives something from the product, and the places that it has."""

    broker: Broker
    mail: MailSink
    receiver: Receiver
    collector: Collector
    log: io.StringIO
    folder: Path

    def places(self) -> Iterator[Place]:
        recording.end_process()
        yield "log", self.log.getvalue()
        yield from leak_places.broker_keys(self.broker)
        yield from self.mail.places()
        yield from leak_places.webhooks(self.receiver)
        yield from leak_places.traces(self.collector)
        yield from leak_places.files(self.folder)
        yield from leak_places.dump()
        yield from leak_places.tables()


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
    port = free_port()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.SITE_URL = "https://runs.example.com"
    yield sink
    controller.stop()


@pytest.fixture
def receiver(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path_factory.mktemp("receiver"))
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.WEBHOOK_CA_BUNDLE = str(receiver.ca)
    settings.TICK_SECONDS = 60
    yield receiver
    receiver.close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Collector]:
    """A collector to which this process sends its spans."""
    settings.MIDDLEWARE = ["config.middleware.TracingMiddleware", *settings.MIDDLEWARE]
    with collector_server() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setattr(tracing, "ENABLED", True)
        yield server
        recording.end_process()


@pytest.fixture
def outside(
    *,
    broker: Broker,
    mail_sink: MailSink,
    receiver: Receiver,
    collector: Collector,
    log_lines: io.StringIO,
    tmp_path: Path,
    settings: Settings,
) -> Outside:
    # No limit ends the planting.
    settings.API_REQUESTS_PER_MINUTE = settings.AXES_FAILURE_LIMIT = 1_000_000
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 1_000_000
    settings.METRICS_NETWORKS = [ip_network("127.0.0.0/8")]
    (tmp_path / "rejects").mkdir()
    return Outside(broker, mail_sink, receiver, collector, log_lines, tmp_path / "rejects")


def report(text: str) -> None:
    """Say how far the test is, with the minutes of CPU that it has taken."""
    sys.stdout.write(f"{time.process_time() / 60:5.1f} minutes of CPU: {text}\n")


@pytest.mark.long
def test_no_canary_is_in_anything_that_is_written_or_shown(
    *,
    outside: Outside,
    tmp_path: Path,
    canaries: Canaries,
    planted: Planted,
    tenant: Tenant,
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    short_retry_waits: None,
    graph: SandboxControl,
    owner: User,
    client: Client,
) -> None:
    few = planted.of_each_shape
    if not IS_WHOLE:
        few = few[:: len(few) // 3]
    shapes = canaries.shapes

    # What the tenant has: before and after a change, in the inventory, two backups and a restore.
    BackupSchedule.objects.filter(pk=schedule.pk).update(kinds=["device_configuration"])
    leak_inputs.plant_objects(graph, tenant, planted)
    sync(tenant, owner)
    backup_set = back_up(schedule).backup_set
    leak_inputs.plant_objects(graph, tenant, planted.changed())
    back_up(schedule)
    stored = "\n".join(map(json.dumps, PolicyVersion.objects.values_list("payload", flat=True)))
    count = sum(json.dumps(secret)[1:-1] in stored for secret in shapes)
    assert count > len(shapes) / 2
    items = list(backup_set.items.all())
    restore, preview = restores.start_preview(backup_set, items, Options(), by=owner)
    run_now(preview.run)
    report(f"{len(shapes)} canaries, {count} of them in policies")

    leak_inputs.plant_answers(graph, schedule, back_up, few)
    report("answers of Microsoft")
    leak_inputs.plant_reasons(tenant, owner, few)
    leak_inputs.plant_log_lines(owner, planted.texts)
    leak_inputs.plant_credentials(tenant, planted.credentials)
    leak_inputs.plant_legacy_runs(tmp_path, tenant, planted.texts)
    signing_secret = leak_inputs.plant_webhooks(
        outside.receiver, tenant, few, planted.credentials[0]
    )
    canaries = Canaries(shapes | {signing_secret: "signing secret"})
    report("reasons, log, credentials, legacy runs, webhooks")
    create_delivery(tenant, owner)
    send_emails()

    api = open_api(owner, tenant.workspace)
    policies = list(Policy.objects.values_list("pk", flat=True))
    leak_inputs.export_policies(api, tenant, policies)
    ids: dict[str, Any] = {
        "tenant_id": tenant.pk,
        "schedule_id": schedule.pk,
        "restore_id": restore.pk,
        "policy_ids": policies[:1],
    }
    renew = Renewal(tenant)
    assert leak_inputs.plant_bodies(api, ids, renew, few) >= MIN_TEXTS
    leak_inputs.plant_requests(open_owner(owner), api, tenant.workspace.slug, few)
    report("bodies, headers and parameters")
    fields = plant_forms(client, owner, tenant, planted, renew)
    assert len(fields) >= MIN_FIELDS
    report(f"{len(fields)} fields of forms")
    create_delivery(tenant, create_member(tenant.workspace))
    send_emails()

    staff = Client()
    open_session(staff, superuser())
    addresses = list(leak_places.addresses(tenant))
    places = Counter[str]()
    leaks = []
    for place, text in itertools.chain(
        outside.places(),
        leak_places.pages(open_owner(owner), [each for each in addresses if not is_api(each)]),
        leak_places.pages(api, filter(is_api, addresses)),
        leak_places.pages(staff, leak_places.admin_addresses(ADMIN_ROWS)),
    ):
        leaks += canaries.leaks(place, text)
        places[place.split()[0]] += 1
    report(f"searched {dict(places)}")

    assert outside.broker.waiting("sync")
    assert outside.mail.messages
    assert outside.receiver.received
    assert outside.collector.spans
    assert not leaks, "\n".join(leaks)


class Renewal:
    """Creates the objects of forms that can be sent once: what they suspend, remove or end."""

    def __init__(self, tenant: Tenant) -> None:
        self.workspace = tenant.workspace

    def __call__(self, route: str, name: str) -> int | None:
        """Return the id of a new object if this id of a route needs one."""
        if name == "run_id" and route in ("run_cancel", "run_acknowledge"):
            return self._pk(
                OperationRunFactory(tenant=self._tenant(), failed=route == "run_acknowledge")
            )
        if name == "tenant_id" and route in ("tenant_suspend", "tenant_archive"):
            return self._pk(self._tenant())
        if name == "schedule_id" and route in ("schedule_pause", "schedule_delete"):
            return self._pk(BackupScheduleFactory(tenant=self._tenant()))
        if name == "connection_id" and route == "connection_remove":
            return self._pk(ProviderConnectionFactory(tenant=self._tenant()))
        if name == "membership_id" and route == "member_remove":
            return self._pk(create_member(self.workspace).memberships.get())
        return None

    def _tenant(self) -> Tenant:
        tenant: Tenant = TenantFactory(workspace=self.workspace)
        return tenant

    @staticmethod
    def _pk(row: Any) -> int:
        return int(row.pk)


def sync(tenant: Tenant, owner: User) -> None:
    """Read policies, groups and role definitions."""
    for run_type in (
        OperationRunType.INVENTORY_SYNC,
        OperationRunType.DIRECTORY_GROUPS_SYNC,
        OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
    ):
        run_now(inventory_services.start_sync(run_type, tenant, by=owner).run)


def is_api(address: str) -> bool:
    return address.startswith("/api/")


def superuser() -> User:
    return User.objects.filter(is_superuser=True).first() or create_staff(superuser=True)


def open_owner(owner: User) -> Client:
    client = Client()
    open_session(client, owner)
    return client


def plant_forms(
    client: Client, owner: User, tenant: Tenant, planted: Planted, renew: Renewal
) -> dict[tuple[str, str], int]:
    """Plant the texts in every field of every form: those of pages, of sign-in, and of the admin."""
    texts, secrets_ = planted.of_each_shape, planted.credentials
    if not IS_WHOLE:
        texts, secrets_ = sorted(texts, key=len)[:3], secrets_[:1]
    fields = plant_in_forms(client, [reverse("account_login")], texts, secrets_, renew)
    open_session(client, owner)
    fields |= plant_in_forms(client, leak_places.addresses(tenant), texts, secrets_, renew)
    open_session(client, superuser())
    return fields | plant_in_forms(client, leak_places.admin_addresses(1), texts, secrets_, renew)


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda text: json.dumps({"x": text}),
    "JSON in JSON": lambda text: json.dumps({"x": json.dumps([text])}),
    "address": lambda text: quote(text, safe=""),
    "page": html.escape,
    "address in a page": lambda text: html.escape(quote(text)),
    "base64": lambda text: base64.b64encode(f"<{text}>".encode()).decode(),
    "base64 of addresses": lambda text: base64.urlsafe_b64encode(f"ab{text}".encode()).decode(),
    "hexadecimal digits": lambda text: text.encode().hex(),
    "lines": "\n".join,
    "first half": lambda text: text[: math.ceil(len(text) / 2)],
    "second half": lambda text: text[len(text) // 2 :],
}


@pytest.mark.parametrize("form", FORMS)
def test_the_search_notices_every_canary_in_every_form(canaries: Canaries, form: str) -> None:
    missed = [
        shape
        for secret, shape in canaries.shapes.items()
        if ("half" not in form or len(secret) >= DIVIDED_LENGTH)
        and f"here: {shape}" not in canaries.leaks("here", f"a {FORMS[form](secret)} b")
    ]

    assert missed == []


def test_the_search_notices_nothing_else(canaries: Canaries) -> None:
    assert canaries.leaks("here", Path(__file__).read_text()) == []


SECRET = "aB3-Summer.of.Canaries-x7Q"


def test_a_defect_in_each_kind_of_place_is_noticed(
    *,
    outside: Outside,
    tmp_path: Path,
    tenant: Tenant,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without redaction, and with a name that no form accepts, the secret is in every place."""
    for module in ("config.logging", "notifications.bodies", "legacy_runs.rejects"):
        monkeypatch.setattr(f"{module}.sanitize_text", lambda text, *_, **__: text)
    monkeypatch.setattr("legacy_runs.rejects.sanitize_json", lambda value: value)
    for module in ("backups.downloads", "backups.views.sets"):
        monkeypatch.setattr(f"{module}.redacted_payload", lambda version: version.payload)
    Tenant.objects.filter(pk=tenant.pk).update(name=SECRET)
    tenant.refresh_from_db()
    create_delivery(tenant, owner)
    send_emails()
    leak_inputs.plant_webhooks(outside.receiver, tenant, ["refused"], "address")
    leak_inputs.plant_legacy_runs(tmp_path, tenant, [f"password={SECRET}"] * 5)
    record_counters([("graph_requests", {"method": SECRET, "status": "200"}, 1)])
    update_metrics()
    outside.broker.execute("SET", "key", SECRET)
    with tracing.span(SECRET):
        logging.getLogger(__name__).warning("failed: %s", SECRET)
    version = PolicyVersionFactory(workspace=tenant.workspace, payload={"password": SECRET})
    item = BackupItemFactory(backup_set__schedule__tenant=tenant, version=version)
    set_id = finish(item.backup_set).pk
    slug = tenant.workspace.slug

    staff = Client()
    open_session(staff, superuser())
    client, api = open_owner(owner), open_api(owner, tenant.workspace)
    places = {
        "page": leak_places.pages(
            client, [reverse("backup_item_detail", args=[slug, set_id, item.pk])]
        ),
        "archive": leak_places.pages(client, [reverse("backup_set_download", args=[slug, set_id])]),
        "CSV": leak_places.pages(client, [reverse("tenant_list", args=[slug]) + "?format=csv"]),
        "metrics": leak_places.pages(client, [reverse("metrics")]),
        "API": leak_places.pages(api, [reverse("api:tenant_list")]),
        "admin": leak_places.pages(staff, [reverse("admin:tenancy_tenant_changelist")]),
        "outside": outside.places(),
    }
    canaries = Canaries({SECRET: "password"})
    leaks = {
        f"{name} {place}" if name == "outside" else name
        for name, texts in places.items()
        for place, text in texts
        if canaries.leaks(place, text)
    }

    outside_places = (
        *("log", "broker key key", "mail", "webhook", "trace", "pg_dump"),
        *(f"file {next(iter(TABLES))}.csv", f"table {Tenant._meta.db_table}"),
    )
    assert leaks >= {*places} - {"outside"} | {f"outside {place}" for place in outside_places}
