"""Two servers and a sentinel on loopback, for one test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import redis

from dev.graph_sandbox.tls import ensure_certificate
from dev.services.processes import free_port, spawn, stop
from dev.services.valkey import Valkey, find_program
from tests.support.stack import eventually

SERVICE = "ledger"
PASSWORD = "of the servers"
SENTINEL_PASSWORD = "of-the-sentinel"

CONFIGURATION = """
bind 127.0.0.1
{listen}
dir {folder}
requirepass {sentinel_password}
sentinel monitor {service} 127.0.0.1 {primary} 1
sentinel auth-pass {service} "{password}"
sentinel down-after-milliseconds {service} 1000
sentinel failover-timeout {service} 6000
"""


class ReplicatedBroker:
    """A primary, its replica, and a sentinel that fails over within seconds.

    With `tls`, all connections use TLS, also those of the replication.
    """

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self._ca = folder / "tls" / "ca.pem" if tls else None
        self._tls = tls_options(folder / "tls") if tls else {}
        self.servers = {port: self._start_server(folder, port) for port in self._free_ports()}
        primary, replica = self.servers
        with self._client(replica) as client:
            client.replicaof("127.0.0.1", primary)
            eventually(
                lambda: client.info("replication")["master_link_status"] == "up",
                what="the replication",
            )
        self.port = free_port()
        self.process = self._start_sentinel(folder / "sentinel", primary)
        eventually(lambda: self._state()["num-slaves"], what="the replica, seen by the sentinel")

    @property
    def environment(self) -> dict[str, str]:
        """The settings of processes that use this broker."""
        password = PASSWORD.replace(" ", "%20")
        tls = {"REDIS_SENTINEL_TLS": "true", "REDIS_CA_BUNDLE": str(self._ca)} if self._ca else {}
        return {
            "REDIS_URL": f"sentinel://:{password}@127.0.0.1:{free_port()};"
            f"sentinel://127.0.0.1:{self.port}",
            "REDIS_SENTINEL_MASTER": SERVICE,
            "REDIS_SENTINEL_PASSWORD": SENTINEL_PASSWORD,
            **tls,
        }

    @property
    def primary(self) -> int:
        """The port of the primary, as the sentinel sees it."""
        port: int = self._state()["port"]
        return port

    def kill_primary(self) -> None:
        """Kill the primary; the sentinel needs some seconds to promote the replica."""
        server = self.servers[self.primary]
        assert server.process
        server.process.kill()
        server.process.wait()

    def stop(self) -> None:
        stop(self.process, grace=5)
        for server in self.servers.values():
            server.stop(grace=1)

    @staticmethod
    def _free_ports() -> list[int]:
        return [free_port(), free_port()]

    def _start_server(self, folder: Path, port: int) -> Valkey:
        return Valkey(
            folder / str(port),
            durable=False,
            bind="127.0.0.1",
            **self._listen(port),
            requirepass=PASSWORD,
            masterauth=PASSWORD,
            repl_diskless_sync_delay="0",
        ).start(wait=False)

    def _start_sentinel(self, folder: Path, primary: int) -> subprocess.Popen[bytes]:
        folder.mkdir()
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            CONFIGURATION.format(
                listen="\n".join(
                    f"{name.replace('_', '-')} {value}"
                    for name, value in self._listen(self.port).items()
                ),
                folder=folder,
                service=SERVICE,
                primary=primary,
                password=PASSWORD,
                sentinel_password=SENTINEL_PASSWORD,
            )
        )
        with (folder / "sentinel.log").open("ab") as log:
            return spawn([find_program(), configuration, "--sentinel"], output=log.fileno())

    def _listen(self, port: int) -> dict[str, str]:
        """The options of a server or sentinel that listens on this port."""
        if self._tls:
            return {"port": "0", "tls_port": str(port), **self._tls}
        return {"port": str(port)}

    def _client(self, port: int, password: str = PASSWORD) -> redis.Redis:
        return redis.Redis(
            "127.0.0.1", port, password=password, socket_timeout=5,
            ssl=bool(self._ca), ssl_ca_certs=str(self._ca),
        )  # fmt: skip

    def _state(self) -> dict[str, Any]:
        with self._client(self.port, SENTINEL_PASSWORD) as sentinel:
            state: dict[str, Any] = sentinel.sentinel_master(SERVICE)
        return state


def tls_options(folder: Path) -> dict[str, str]:
    """Create a certificate; return the options with which servers and sentinels use it."""
    certificate, key = ensure_certificate(folder, "localhost")
    return {
        "tls_cert_file": str(certificate),
        "tls_key_file": str(key),
        "tls_ca_cert_file": str(folder / "ca.pem"),
        "tls_auth_clients": "no",
        "tls_replication": "yes",
    }
