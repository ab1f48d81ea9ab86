"""Runs the Graph sandbox as a process, for tests and chaos campaigns."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.graph_sandbox.control import SandboxControl

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0


class SandboxProcess:
    """A server on a free port that stops at the end of the `with` block.

    It also stops when this process ends for any reason. `url`, `ca` and `control` are set once the
    server has started. Its files are in `folder`, or in a temporary folder that is removed; `keep`
    also stores its tenants there.
    """

    def __init__(self, folder: Path | None = None, *, port: int = 0, keep: bool = False) -> None:
        self._stack = contextlib.ExitStack()
        self._folder, self._port, self._keep = folder, port, keep
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.ca = Path()
        self.token = secrets.token_urlsafe(24)

    @property
    def control(self) -> SandboxControl:
        """A client of its control API."""
        return SandboxControl(self.url, self.token, self.ca)

    def start(self) -> Self:
        """Start the server and wait until it is ready.

        Raises:
            RuntimeError: the server did not start.
        """
        folder = self._folder or Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.ca = folder / "ca.pem"
        command = [sys.executable, "-m", "dev.graph_sandbox", "--port", str(self._port)]
        command += ["--tls-dir", str(folder), "--die-with-parent"]
        if self._keep:
            command += ["--data", str(folder / "state.json")]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "GRAPH_SANDBOX_TOKEN": self.token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._first_line(self._process).rpartition(" ")[2].strip()
        return self

    def _first_line(self, process: subprocess.Popen[str]) -> str:
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout
        threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
        try:
            line = lines.get(timeout=START_SECONDS)
        except queue.Empty:
            line = ""
        if "://" not in line:
            self.stop()
            raise RuntimeError("The Graph sandbox did not start.")
        return line

    def stop(self) -> None:
        """Stop the server and remove its temporary folder."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
