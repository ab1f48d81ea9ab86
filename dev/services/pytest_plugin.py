"""Gives the tests a PostgreSQL and a Valkey of their own before Django reads its settings.

A conftest.py would be too late (pytest-django loads the settings first), so this is a plugin
(`-p dev.services.pytest_plugin`). Under xdist only the controller starts servers; each worker gets
its own database (pytest-django names it) and its own Redis database (its number). Addresses that
are in the environment already are used as they are.
"""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from dev.services.keys import new_credential_keys, new_secret_key
from dev.services.postgres import Postgres
from dev.services.valkey import Valkey, with_database

DATABASE = "runledger"
TEST_CONNECTIONS = 200
used: dict[str, str] = {}


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
    """Set every variable the settings need, starting the servers that nobody gave an address of."""
    os.environ.setdefault("SECRET_KEY", new_secret_key())
    os.environ.setdefault("CREDENTIAL_KEYS", new_credential_keys())
    given = {name: os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")}
    folder = Path(tempfile.mkdtemp(prefix="runledger-tests-"))
    config.add_cleanup(folder.rmdir)
    if not given["DATABASE_URL"]:
        start_postgres(config, folder / "postgres")
    if not given["REDIS_URL"]:
        start_valkey(config, folder / "valkey")
    used.update({name: "given" if address else "embedded" for name, address in given.items()})


def start_postgres(config: pytest.Config, folder: Path) -> None:
    """Start a PostgreSQL that is gone, data and all, when pytest ends."""
    server = Postgres(folder, durable=False, max_connections=TEST_CONNECTIONS)
    config.add_cleanup(server.remove)
    config.add_cleanup(server.stop)
    server.start()
    os.environ["DATABASE_URL"] = server.url(DATABASE)


def start_valkey(config: pytest.Config, folder: Path) -> None:
    """Start a Valkey that is gone, data and all, when pytest ends."""
    server = Valkey(folder, durable=False)
    config.add_cleanup(server.remove)
    config.add_cleanup(server.stop)
    server.start()
    os.environ["REDIS_URL"] = server.url()


def pytest_report_header() -> str:
    return (
        f"servers: PostgreSQL {used.get('DATABASE_URL', 'of the controller')}, "
        f"Valkey {used.get('REDIS_URL', 'of the controller')}"
    )
