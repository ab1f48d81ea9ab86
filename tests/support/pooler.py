"""A PgBouncer in transaction mode between the application's role and the test database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from dev.services import pgbouncer
from dev.services.pgbouncer import PORT, Pgbouncer

StartPooler = Callable[..., str]


@pytest.fixture
def start_pooler(tmp_path: Path, app_role: str) -> Iterator[StartPooler]:
    """Return a function that starts a pooler; it returns the URL of the role through the pooler.

    `server` is the folder with the socket of PostgreSQL, by default that of the tests.
    """
    if not pgbouncer.is_installed() and os.environ.get("CI") == "true":
        pytest.fail("CI needs PgBouncer: apt-get install pgbouncer.")
    if not pgbouncer.is_installed():
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer.")
    if not connection.settings_dict["HOST"].startswith("/"):
        pytest.skip("The pooler of the tests needs the embedded PostgreSQL.")
    poolers: list[Pgbouncer] = []

    def start(*, server: str = "", ignore_options: bool = False) -> str:
        folder = tmp_path / f"pooler-{len(poolers)}"
        server = server or connection.settings_dict["HOST"]
        pooler = Pgbouncer(folder, server, ignore_options=ignore_options).start()
        poolers.append(pooler)
        parts = urlsplit(app_role)
        credentials = parts.netloc.rpartition("@")[0]
        return f"postgresql://{credentials}@:{PORT}{parts.path}?host={pooler.sockets}"

    yield start
    for pooler in poolers:
        pooler.stop()
        pooler.remove()


@pytest.fixture
def pooled_url(start_pooler: StartPooler) -> str:
    """The URL of the application's role through a pooler: 40 clients share 4 connections."""
    return start_pooler()
