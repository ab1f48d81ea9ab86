"""The database and the broker of a benchmark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from dev.services.postgres import Postgres
from dev.services.valkey import Valkey


def server_cpu(backends: Iterable[int]) -> float:
    """Return the seconds of CPU that these processes of the server have taken.

    Unlike the time, it hardly depends on other load on the machine.
    """
    nanoseconds = [Path(f"/proc/{pid}/schedstat").read_text().split()[0] for pid in backends]
    return sum(map(int, nanoseconds)) / 1e9


def create_database(name: str) -> str:
    """Create another empty database on the server of `own_database`, and return its URL."""
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@contextmanager
def own_broker() -> Iterator[None]:
    """Start an empty broker, and let the settings name it; use it within `own_database`."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder) / "valkey", durable=False).start()
        try:
            os.environ["REDIS_URL"] = server.url()
            yield
        finally:
            server.stop()


@contextmanager
def own_database(*, durable: bool = False, keep: Path | None = None) -> Iterator[str]:
    """Start an empty database, let the settings name it, and yield its URL.

    Only a durable one waits for its disk. Set up Django after that; the broker of the settings does not exist.
    `keep` is a folder whose data stay for the next time.
    """
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres", durable=durable).start()
        try:
            url = server.url("postgres")
            os.environ |= {
                "DATABASE_URL": url,
                # No pooler is in front of it.
                "DATABASE_POOLER": "",
                "REDIS_URL": "redis+socket:///nonexistent?virtual_host=0",
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
                "AS_OWNER": "1",
                # A busy machine does not end a transaction.
                "IDLE_IN_TRANSACTION_SECONDS": "600",
            }
            yield url
        finally:
            server.stop()
