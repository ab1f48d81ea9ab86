"""A network whose links can fail: `python -m dev.chaos.network CONTROL NAME=ADDRESS=TARGET…`.

Each link forwards connections from one Unix socket to another. A command makes it fail in one of the
ways in which networks do: it refuses or cuts connections, it is silent, half-open or slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dev.services.processes import spawn, stop

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
LARGEST_COMMAND = 1000


class NetworkError(Exception):
    """The network did not obey a command."""


class End(asyncio.Protocol):
    """One end of a forwarded connection; what arrives is written to the other end."""

    def __init__(self, link: Link, other: End | None = None) -> None:
        self._link = link
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.is_dead = False
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._link.is_silent:
            transport.pause_reading()
        if self.other is None:
            self._link.clients.add(self)
            self._link.connect(self)
            return
        self.other.other = self
        for data in self.other.early:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.is_dead:
            return
        if self._link.delay:
            asyncio.get_running_loop().call_later(self._link.delay, self._pass_on, data)
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        elif self.other.transport and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.clients.discard(self)
        if self.other and self.other.transport and not self.is_dead:
            self.other.transport.close()

    def ends(self) -> list[End]:
        """Return both ends of the connection."""
        return [self] if self.other is None else [self, self.other]


class Link:
    """Forwards connections from `address` to `target`."""

    def __init__(self, address: str, target: str) -> None:
        self._address, self._target = address, target
        self._server: asyncio.Server | None = None
        self._dead: set[End] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        #: The ends of the clients whose connections are forwarded.
        self.clients: set[End] = set()
        self.is_silent = False
        self.delay = 0.0

    async def listen(self) -> None:
        """Accept connections."""
        if self._server is None:
            Path(self._address).unlink(missing_ok=True)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(lambda: End(self), self._address)

    def connect(self, client: End) -> None:
        """Connect a client that was accepted to the target."""
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: End) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_unix_connection(lambda: End(self, client), self._target)
        except OSError:
            if client.transport:
                client.transport.abort()

    # --- commands ---------------------------------------------------------------------------------

    async def cut(self) -> int:
        """Close every connection; return their number."""
        clients = list(self.clients)
        for client in clients:
            for end in client.ends():
                if end.transport:
                    end.transport.abort()
        return len(clients)

    async def refuse(self) -> int:
        """Close every connection and refuse new ones."""
        if self._server:
            self._server.close()
            self._server = None
        return await self.cut()

    async def silence(self) -> int:
        """Forward nothing, and close nothing: what is sent arrives after the repair."""
        self.is_silent = True
        for client in self.clients:
            for end in client.ends():
                if end.transport and not end.transport.is_closing():
                    end.transport.pause_reading()
        return len(self.clients)

    async def half_open(self) -> int:
        """Carry nothing on the present connections any more, without closing them."""
        clients = set(self.clients)
        for client in clients:
            for end in client.ends():
                end.is_dead = True
        self._dead |= clients
        self.clients -= clients
        return len(clients)

    async def slow(self) -> int:
        """Delay everything."""
        self.delay = 0.15
        return len(self.clients)

    async def repair(self) -> int:
        """Forward again; connections that were half-open are closed, as a keepalive would."""
        self.is_silent, self.delay = False, 0.0
        for end in (end for client in self._dead for end in client.ends()):
            if end.transport:
                end.transport.abort()
        self._dead.clear()
        for end in (end for client in self.clients for end in client.ends()):
            if end.transport and not end.transport.is_closing():
                end.transport.resume_reading()
        await self.listen()
        return len(self.clients)


COMMANDS = {
    "cut": Link.cut,
    "refuse": Link.refuse,
    "silence": Link.silence,
    "half_open": Link.half_open,
    "slow": Link.slow,
    "repair": Link.repair,
}


async def serve(control: str, links: dict[str, Link]) -> None:
    """Forward all links, and obey one command of each connection to the control socket."""

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            command = json.loads(await reader.read(LARGEST_COMMAND))
            count = await COMMANDS[command["action"]](links[command["link"]])
            writer.write(json.dumps(count).encode())
            await writer.drain()
            writer.close()

    for link in links.values():
        await link.listen()
    server = await asyncio.start_unix_server(obey, control)
    await server.serve_forever()


class Network:
    """The process that forwards the links; `links` has (address, target) by name."""

    def __init__(self, folder: Path, links: dict[str, tuple[Path, Path]]) -> None:
        self._control = folder / "control.sock"
        self._links = links
        self._log = folder / "network.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it forwards.

        Raises:
            NetworkError: it did not start.
        """
        links = [f"{name}={address}={target}" for name, (address, target) in self._links.items()]
        command = [sys.executable, "-m", "dev.chaos.network", str(self._control), *links]
        with self._log.open("ab") as log:
            self._process = spawn(command, output=log.fileno(), cwd=ROOT)
        deadline = time.monotonic() + START_SECONDS
        while not self._control.exists():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise NetworkError(f"The network did not start: {self._log.read_text()[-1000:]}")
            time.sleep(0.05)

    def command(self, link: str, action: str) -> int:
        """Send a command; return the number of connections that it concerned.

        Raises:
            NetworkError: the command was not obeyed.
        """
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(self._control))
                client.sendall(json.dumps({"link": link, "action": action}).encode())
                answer: Any = json.loads(client.recv(LARGEST_COMMAND))
        except (OSError, ValueError) as error:
            raise NetworkError(f"{action} {link}: {error}") from error
        return int(answer)

    def stop(self) -> None:
        if self._process:
            stop(self._process, grace=5)


def main() -> None:
    control, *texts = sys.argv[1:]
    links = {}
    for text in texts:
        name, address, target = text.split("=")
        links[name] = Link(address, target)
    asyncio.run(serve(control, links))


if __name__ == "__main__":
    main()
