"""Starts a PostgreSQL and a Valkey for the tests before Django reads its settings.

A conftest.py would be too late (pytest-django loads the settings first), so this is a plugin
(`-p dev.services.pytest_plugin`). Under xdist only the controller starts servers; each worker gets
its own database (pytest-django names it) and its own Redis database (its number). If DATABASE_URL
or REDIS_URL is set, that server is used instead. If DATABASE_POOLER is set, the tests reach the
embedded PostgreSQL through PgBouncer.
"""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from dev.services.keys import new_credential_keys, new_secret_key
from dev.services.pgbouncer import Pgbouncer
from dev.services.postgres import Postgres
from dev.services.valkey import Valkey, with_database

DATABASE = "runledger"
TEST_CONNECTIONS = 200
#: Statistics of the planner change when a test analyzes a table, and at no other time.
NO_AUTOANALYZE = "autovacuum_analyze_threshold=2000000000"
server_kinds: dict[str, str] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        provide_environment(early_config)
    else:
        number = int(worker.removeprefix("gw"))
        os.environ["REDIS_URL"] = with_database(os.environ["REDIS_URL"], number)
    return (yield)


def provide_environment(config: pytest.Config) -> None:
    """Set every variable that the settings need, and start the servers that are not configured."""
    os.environ.setdefault("SECRET_KEY", new_secret_key())
    os.environ.setdefault("CREDENTIAL_KEYS", new_credential_keys())
    # A test is one long transaction.
    os.environ.setdefault("IDLE_IN_TRANSACTION_SECONDS", "300")
    external_urls = {name: os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")}
    folder = Path(tempfile.mkdtemp(prefix="runledger-tests-"))
    config.add_cleanup(folder.rmdir)
    if not external_urls["DATABASE_URL"]:
        start_postgres(config, folder / "postgres")
    if not external_urls["REDIS_URL"]:
        start_valkey(config, folder / "valkey")
    for name, url in external_urls.items():
        server_kinds[name] = "external" if url else "embedded"


def start_postgres(config: pytest.Config, folder: Path) -> None:
    """Start a PostgreSQL that is removed with its data when pytest ends."""
    server = Postgres(
        folder, durable=False, max_connections=TEST_CONNECTIONS, settings=[NO_AUTOANALYZE]
    )
    config.add_cleanup(server.remove)
    config.add_cleanup(server.stop)
    server.start()
    os.environ["DATABASE_URL"] = server.url(DATABASE)
    if os.environ.get("DATABASE_POOLER"):
        start_pooler(config, server, folder.with_name("pgbouncer"))
    else:
        # A pooler keeps its connections to a database, which then cannot be copied.
        os.environ["TEMPLATE_DATABASE"] = f"{DATABASE}_template"


def start_pooler(config: pytest.Config, server: Postgres, folder: Path) -> None:
    """Start a PgBouncer in front of the server; idle transactions end after the usual time."""
    server.limit_idle_transactions(int(os.environ["IDLE_IN_TRANSACTION_SECONDS"]))
    # 40 clients for each test worker; the limit is one for all databases.
    clients = 40 * 2 * (os.cpu_count() or 1)
    pooler = Pgbouncer(folder, str(server.sockets), clients=clients)
    config.add_cleanup(pooler.remove)
    config.add_cleanup(pooler.stop)
    pooler.start()
    os.environ["DATABASE_URL"] = pooler.url(DATABASE)
    server_kinds["pooler"] = "through PgBouncer"


def start_valkey(config: pytest.Config, folder: Path) -> None:
    """Start a Valkey that is removed with its data when pytest ends."""
    server = Valkey(folder, durable=False)
    config.add_cleanup(server.remove)
    config.add_cleanup(server.stop)
    server.start()
    os.environ["REDIS_URL"] = server.url()


def pytest_report_header() -> str:
    return (
        f"servers: PostgreSQL {server_kinds.get('DATABASE_URL', 'of the controller')}, "
        f"Valkey {server_kinds.get('REDIS_URL', 'of the controller')}"
    )
