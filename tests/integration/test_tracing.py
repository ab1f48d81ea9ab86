"""One trace from the button or the slot to every request to Graph, and nothing private in it."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.checks import run_checks
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backups.tick import tick
from dev.services.processes import stop
from operations.delivery import relay
from operations.metrics.counting import update_metrics
from operations.models import Metric, OperationRun
from operations.services import OperationRunService
from operations.testing import run_now
from providers.graph.http import describe_path
from telemetry import recording, tracing
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tests.support.broker import Broker
from tests.support.customer import Customer, MakeStack
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.operations import create_queued_run
from tests.support.otlp import Collector, ReceivedSpan, collector_server
from tests.support.sessions import open_session
from tests.support.stack import ROOT, wait_for_end

pytestmark = pytest.mark.django_db(transaction=True)

#: The kinds of spans in OTLP.
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector to which this process sends its spans when it ends."""
    with collector_server() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
        monkeypatch.setattr(tracing, "ENABLED", True)
        yield server
        recording.end_process()


def parents(spans: list[ReceivedSpan]) -> dict[str, str]:
    """Return the name of the parent of each span, by its name; empty for a root."""
    names = {span.span_id: span.name for span in spans}
    for span in spans:
        assert not span.parent_id or span.parent_id in names, f"{span.name} has a foreign parent"
    return {span.name: names.get(span.parent_id, "") for span in spans}


def test_a_button_starts_one_trace_that_ends_with_the_requests_to_graph(
    customer: Customer,
    make_stack: MakeStack,
    collector: Collector,
    operator: User,
    settings: Settings,
) -> None:
    settings.MIDDLEWARE = ["config.middleware.TracingMiddleware", *settings.MIDDLEWARE]
    page = Client()
    open_session(page, operator)
    # Nothing is sent before the processes end.
    stack = make_stack(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="3600000")
    worker = stack.start_worker()

    address = reverse("schedule_run_now", args=["contoso", customer.schedule.pk])
    location = page.post(f"{address}?secret=canary-query")["Location"]
    run = wait_for_end(int(location.strip("/").split("/")[-1]))
    shown = page.get(location).text
    stop(worker, signal.SIGTERM, grace=120)
    recording.end_process()

    assert run.outcome == "succeeded", stack.logs()
    spans = collector.of_trace(run.trace_id)
    run_type = run.type
    tree = parents(spans)
    assert tree["POST schedule_run_now"] == ""
    assert tree[f"dispatch {run_type}"] == "POST schedule_run_now"
    assert tree["publish"] == tree[f"execute {run_type}"] == f"dispatch {run_type}"
    assert tree["claim"] == tree["handle"] == tree["complete"] == f"execute {run_type}"
    kinds = {span.name: span.kind for span in spans}
    assert kinds["POST schedule_run_now"] == SERVER
    assert kinds[f"dispatch {run_type}"] == kinds["publish"] == PRODUCER
    assert kinds[f"execute {run_type}"] == CONSUMER
    assert kinds["handle"] == INTERNAL
    check_graph_spans(spans)
    check_attributes(spans, run)
    # The page shows the trace, and every line of the log about the run has it.
    assert f'data-copy="{run.trace_id}"' in shown
    lines = [line for line in stack.logs().splitlines() if f"run_id={run.pk}" in line]
    assert lines
    assert all(f"trace_id={run.trace_id}" in re.sub(r"\x1b\[[0-9;]*m", "", each) for each in lines)
    private = [
        *(customer.secret, customer.tenant.name, operator.username, operator.email),
        *("canary-query", "Contoso Services", "Bearer", customer.schedule.name),
    ]
    sent = b"".join(collector.bodies)
    assert [text for text in private if text.encode() in sent] == []


def check_graph_spans(spans: list[ReceivedSpan]) -> None:
    """Check that each request to the sandbox is a span below the handler, whichever thread sent it."""
    handle = next(span for span in spans if span.name == "handle")
    requests = [span for span in spans if span.kind == CLIENT]
    assert {span.parent_id for span in requests} == {handle.span_id}
    assert "/beta/$batch" in {span.attributes["url.template"] for span in requests}
    # The sign-in is a span too; the metrics count what was sent to Graph.
    sent = Counter(
        (span.attributes["http.request.method"], str(span.attributes["http.response.status_code"]))
        for span in requests
        if "/v2.0/" not in span.attributes["url.template"]
    )
    update_metrics()
    counted = Metric.objects.filter(name="graph_requests").values_list("labels", "value")
    assert {(labels["method"], labels["status"]): value for labels, value in counted} == sent
    for span in requests:
        assert not re.search(r"[?=]|[0-9a-f]{8}-", span.attributes["url.template"])
        assert handle.start <= span.start <= span.end <= handle.end


def check_attributes(spans: list[ReceivedSpan], run: OperationRun) -> None:
    """Check the attributes of the run, and that no span has others than those that are documented."""
    of_run = {
        "runledger.run.id": run.pk,
        "runledger.run.type": run.type,
        "runledger.workspace.id": run.workspace_id,
        "runledger.tenant.id": run.tenant_id,
    }
    by_name = {span.name: span for span in spans}
    for name in (f"dispatch {run.type}", "publish", f"execute {run.type}"):
        assert of_run.items() <= by_name[name].attributes.items()
    execute = by_name[f"execute {run.type}"]
    assert execute.attributes["runledger.run.outcome"] == "succeeded"
    assert execute.start <= by_name["claim"].start <= by_name["handle"].start
    assert {span.resource["service.name"] for span in spans} == {"runledger"}
    assert not any(span.is_error for span in spans)
    assert {name for span in spans for name in span.attributes} == {
        *of_run,
        *("runledger.run.is_new", "runledger.run.outcome", "runledger.graph.request_id"),
        *("http.request.method", "http.response.status_code", "http.route"),
        *("server.address", "url.template"),
    }


def test_a_slot_starts_a_trace_that_its_second_message_continues(
    tenant: Tenant, broker: Broker, collector: Collector, settings: Settings
) -> None:
    now = database_now()
    due = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
    schedule = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=due)
    tick(due + dt.timedelta(seconds=30))
    run = OperationRun.objects.get(context__backup_schedule_id=schedule.pk)
    broker.execute("FLUSHALL")
    settings.RUN_RELAY_AFTER_SECONDS = 0

    assert relay.relay_once() == 1
    run_now(run)
    retry = OperationRunService().retry(OperationRun.objects.get(pk=run.pk)).run
    recording.end_process()

    tree = parents(collector.of_trace(run.trace_id))
    dispatch = f"dispatch {run.type}"
    assert tree[dispatch] == ""
    assert tree["publish"] == tree["publish again"] == tree[f"execute {run.type}"] == dispatch
    # A retry is another trace, which refers to this one.
    assert retry.trace_id != run.trace_id
    (first, *_) = collector.of_trace(retry.trace_id)
    assert first.links == [run.trace_id]
    (failed,) = [each for each in collector.of_trace(run.trace_id) if each.name == "handle"]
    assert failed.is_error
    assert failed.attributes["error.type"] == "Blocked"


def test_a_deduplicated_request_says_which_run_it_led_to(
    tenant: Tenant, collector: Collector
) -> None:
    first = create_queued_run(tenant)
    assert create_queued_run(tenant) == first
    recording.end_process()

    new, again = sorted(collector.spans, key=lambda span: span.start)
    assert new.attributes["runledger.run.is_new"] is True
    assert again.attributes["runledger.run.is_new"] is False
    assert again.attributes["runledger.run.id"] == first.pk
    assert first.trace_id == new.trace_id != again.trace_id


@contextmanager
def silent_collector() -> Iterator[str]:
    """The address of a collector that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_collector_that_does_not_answer_delays_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_collector() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
        monkeypatch.setattr(tracing, "ENABLED", True)
        monkeypatch.setattr(recording, "END_SECONDS", 0.1)
        runs = [create_queued_run(tenant, number) for number in range(30)]
        recording.end_process()

    assert len({run.trace_id for run in runs}) == 30


def test_without_the_variables_nothing_of_opentelemetry_is_loaded() -> None:
    """Neither by the web process and its first page, nor by a worker.

    The client of the broker loads the metrics of the SDK, because it is installed.
    """
    program = """
import sys, django
PARTS = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "telemetry.recording", "google.protobuf", "prometheus_client")
django.setup()
import config.celery, config.urls
from django.test import Client
Client().get("/livez")
from operations.worker import execution
from providers.graph import client
print([name for name in sys.modules if name.startswith(PARTS)])
"""
    environment = {key: each for key, each in os.environ.items() if not key.startswith("OTEL_")}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "requested"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "runledger"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_traces_are_recorded_if_the_variables_ask_for_them(
    environment: dict[str, str], requested: bool
) -> None:
    assert tracing.are_requested(environment) is requested


@pytest.mark.parametrize(
    ("url", "template"),
    [
        ("https://graph.microsoft.com/v1.0/groups?$filter=name eq 'Board'", "/v1.0/groups"),
        (
            "https://graph.microsoft.com/beta/deviceManagement/configurationPolicies('a b')/settings",
            "/beta/deviceManagement/configurationPolicies",
        ),
        ("https://g/v1.0/users/rita@contoso.com/manager", "/v1.0/users/{id}/manager"),
        ("https://g/v1.0/groups/6c5f0b2e-6a5f-4b5c-9d40-5c1a9e0f7f11", "/v1.0/groups/{id}"),
        ("https://login/0f7f11aa/oauth2/v2.0/token", "/{id}/{id}/v2.0/token"),
    ],
)
def test_the_path_in_a_trace_has_no_ids_and_names(url: str, template: str) -> None:
    assert describe_path(url) == template


@pytest.mark.parametrize("trace", ["'x'", "'00-" + "0" * 32 + "'", "NULL"])
def test_the_database_refuses_what_is_no_trace(tenant: Tenant, trace: str) -> None:
    run = create_queued_run(tenant)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_runs (workspace_id, initiator_name, type, status, outcome,"
            f" run_identity_hash, trace_parent) SELECT workspace_id, 'a', type, status, outcome,"
            f" 'b', {trace} FROM operation_runs"
        )
    with pytest.raises(DatabaseError, match="its trace cannot be changed"):
        OperationRun.objects.filter(pk=run.pk).update(trace_parent=f"00-{'1' * 32}-{'2' * 16}-01")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "operations.E008"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "operations.E009"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "operations.E009"),
    ],
)
def test_what_cannot_be_sent_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    assert problem not in {each.id for each in run_checks()}
    monkeypatch.setattr(tracing, "ENABLED", True)
    assert problem in {each.id for each in run_checks()}
