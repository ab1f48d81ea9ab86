"""Every process uses a broker behind Sentinel or TLS, and survives a failover."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection

from backups import services
from backups.requests import run_now_request
from config.settings import base
from dev.services.processes import free_port
from dev.services.valkey import Valkey
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import Customer, MakeCustomer, MakeStack
from tests.support.sentinel import ReplicatedBroker
from tests.support.stack import ROOT, Stack, eventually, wait_for_end
from tests.support.tls import TlsServer

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PUBLISH = """
import django; django.setup()
from operations.delivery import publisher
from operations.maintenance import health, preflight
print([str(message) for message in preflight.run_preflight_checks()])
print(publisher.publish([({run_id}, "{run_type}")]))
print(health.check_health()["checks"]["broker"])
"""


def publish_in(stack: Stack, run: OperationRun) -> list[str]:
    """Run preflight checks, publisher and health in a process of the stack; return their results."""
    process = subprocess.run(
        [sys.executable, "-c", PUBLISH.format(run_id=run.pk, run_type=run.type)],
        cwd=ROOT, env=stack.environment | {"PUBLISH_WAIT_SECONDS": "20"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


# --- Sentinel -------------------------------------------------------------------------------------


@pytest.fixture(params=["plain", "tls"])
def replicated_broker(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReplicatedBroker]:
    tls = request.param == "tls"
    if tls:
        monkeypatch.setenv("REDIS_SERVER", server_with_tls())
    broker = ReplicatedBroker(tmp_path / "servers", tls=tls)
    yield broker
    broker.stop()


def server_with_tls() -> str:
    """Debian's server: the one of the wheel is built without TLS."""
    program = shutil.which("redis-server")
    if not program and not os.environ.get("CI"):
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    assert program, "redis-server is not installed"
    return program


def test_a_failover_during_a_run_loses_nothing(
    customer: Customer,
    make_customer: MakeCustomer,
    make_stack: MakeStack,
    replicated_broker: ReplicatedBroker,
    operator: User,
) -> None:
    """The worker takes the next run from the new primary while the long run goes on."""
    stack = make_stack(**replicated_broker.environment)
    other = make_customer(customer.tenant.workspace)
    customer.fault("slow", ms=4_000)
    worker, beat = stack.start_worker(concurrency=3), stack.start_beat()
    long = services.run_now(customer.schedule, operator).run
    eventually(
        lambda: OperationRun.objects.get(pk=long.pk).status == RunStatus.RUNNING, what="the start"
    )
    old_primary = replicated_broker.primary

    replicated_broker.kill_primary()
    waiting = services.run_now(other.schedule, operator).run
    eventually(lambda: replicated_broker.primary != old_primary, what="the failover")

    assert wait_for_end(waiting.pk).outcome == RunOutcome.SUCCEEDED
    assert OperationRun.objects.get(pk=long.pk).status == RunStatus.RUNNING
    assert publish_in(stack, waiting) == ["[]", "True", "ok"]
    customer.graph.control.clear(customer.id)
    assert wait_for_end(long.pk).outcome == RunOutcome.SUCCEEDED
    assert long.events.filter(kind="started").count() == 1
    assert (worker.poll(), beat.poll()) == (None, None)
    assert "Unrecoverable" not in stack.logs()


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def tls_server(tmp_path: Path, broker: Broker) -> Iterator[TlsServer]:
    server = TlsServer(tmp_path / "tls", broker.socket)
    yield server
    server.close()


def test_every_process_uses_a_broker_with_tls_and_a_private_authority(
    customer: Customer, make_stack: MakeStack, tls_server: TlsServer, operator: User
) -> None:
    stack = make_stack(REDIS_URL=tls_server.url, REDIS_CA_BUNDLE=str(tls_server.ca))
    run = OperationRunService().ensure_run(run_now_request(customer.schedule, operator)).run
    stack.start_worker()

    assert publish_in(stack, run) == ["[]", "True", "ok"]
    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED


def test_a_certificate_of_an_unknown_authority_is_refused(
    customer: Customer, make_stack: MakeStack, tls_server: TlsServer, operator: User, broker: Broker
) -> None:
    stack = make_stack(REDIS_URL=tls_server.url)
    run = OperationRunService().ensure_run(run_now_request(customer.schedule, operator)).run

    preflight, published, health = publish_in(stack, run)

    assert "The broker cannot be used: its certificate is not trusted" in preflight
    assert (published, health) == ("False", "its certificate is not trusted")
    assert broker.waiting() == 0


def test_a_certificate_of_another_host_is_refused(
    customer: Customer, make_stack: MakeStack, tmp_path: Path, operator: User, broker: Broker
) -> None:
    server = TlsServer(tmp_path / "tls", broker.socket, address="127.0.0.2")
    stack = make_stack(REDIS_URL=server.url, REDIS_CA_BUNDLE=str(server.ca))
    run = OperationRunService().ensure_run(run_now_request(customer.schedule, operator)).run

    assert publish_in(stack, run)[1:] == ["False", "its certificate is not trusted"]
    assert broker.waiting() == 0
    server.close()


# --- settings -------------------------------------------------------------------------------------


def test_sentinels_share_the_password_and_database_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "REDIS_SENTINEL_MASTER", "ledger")

    url, tls = base.broker(
        "sentinel://user:p%40ss@one:26379/3;sentinel://two:26379;sentinel://three"
    )

    assert url == (
        "sentinel://user:p%40ss@one:26379/3;sentinel://user:p%40ss@two:26379/3;"
        "sentinel://user:p%40ss@three/3"
    )
    assert tls is None


def test_sentinels_without_the_name_of_their_service_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="set REDIS_SENTINEL_MASTER"):
        base.broker("sentinel://one:26379")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host:6379",
        "amqp://host",
        "redis://host:port/0",
        "redis://:a/password@host:6379/0",
        "sentinel://one:26379;two:26379",
    ],
)
def test_what_is_no_address_of_a_broker_is_refused_without_naming_it(address: str) -> None:
    """Celery takes an empty address for that of another broker."""
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL is not the address") as refused:
        base.broker(address)

    assert "a/password" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "option",
    [
        "ssl_cert_reqs=none",
        "ssl_cert_reqs=required",
        "ssl_check_hostname=false",
        "ssl_ca_certs=/x",
    ],
)
def test_an_address_cannot_change_how_certificates_are_checked(option: str) -> None:
    """Kombu replaces the options of TLS with those of the address, even if it has only one."""
    address = "rediss://:password@host:6379/0"
    ours = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    with Connection(f"{address}?{option}", ssl=base.REDIS_TLS) as replaced:
        assert not ours.items() <= _tls(replaced).items()

    with pytest.raises(ImproperlyConfigured, match="REDIS_URL contains options of TLS"):
        base.broker(f"{address}?{option}")

    url, tls = base.broker(address)
    assert tls
    with Connection(url, ssl=tls) as broker:
        assert ours.items() <= _tls(broker).items()


def test_the_kernel_notices_a_lost_broker_within_seconds(tmp_path: Path) -> None:
    """Kombu's option `socket_keepalive` alone turns the client's timing off."""
    port = free_port()
    server = Valkey(tmp_path / "server", durable=False, bind="127.0.0.1", port=str(port)).start()
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    with Connection(f"redis://127.0.0.1:{port}", transport_options=options) as broker:
        channel: Any = broker.default_channel
        pool = channel.client.connection_pool
        connection = pool.get_connection()
        timing = [
            connection._sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        ]
        pool.release(connection)
    server.stop()

    assert timing == [10, 5, 2]


def _tls(connection: Connection) -> dict[str, Any]:
    assert isinstance(connection.ssl, dict)
    return connection.ssl
