"""Podman with runc, with its storage in one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any

PROGRAMS = ("podman", "runc", "conmon", "catatonit", "debootstrap")
#: Some machines do not allow podman to raise the limits that it sets by default.
_LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")


class CannotRunError(Exception):
    """Podman cannot run containers on this machine; the message says why."""


class Podman:
    """Commands of podman for containers that only this script knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = [
            *("--root", str(folder / "storage"), "--runroot", str(folder / "run")),
            *("--storage-driver", os.environ.get("PODMAN_STORAGE_DRIVER", "overlay")),
            *("--runtime", shutil.which("runc") or "runc", "--cgroup-manager", "cgroupfs"),
            *("--events-backend", "file"),
        ]

    def check(self) -> str:
        """Return the versions of podman and runc.

        Raises:
            CannotRunError: a program is missing, or this user may not run containers.
        """
        missing = [name for name in PROGRAMS if not find_program(name)]
        if missing:
            names = " ".join(missing)
            raise CannotRunError(f"Not installed: {names} (Debian: apt-get install {names}).")
        if os.geteuid() != 0:
            raise CannotRunError("debootstrap needs root.")
        for folder in (self.folder, self.folder / "empty", self.folder / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        info = self._call("info", "--format", "{{.Host.Kernel}}", capture_output=True)
        if info.returncode:
            raise CannotRunError(f"podman does not work here: {info.stderr.strip()}")
        versions = [
            subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
            for name in ("podman", "runc")
        ]
        names = ", ".join(version.stdout.splitlines()[0] for version in versions)
        return f"{names}, kernel {info.stdout.strip()}"

    def run(self, *arguments: str, stdin: IO[bytes] | None = None, text: str | None = None) -> None:
        """Run a command; its output is on the terminal.

        Raises:
            subprocess.CalledProcessError: the command failed.
        """
        streams: dict[str, Any] = {"input": text} if text is not None else {"stdin": stdin}
        self._call(*arguments, check=True, **streams)

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command ends with status 0; its output is dropped."""
        return self._call(*arguments, capture_output=True).returncode == 0

    def output(self, *arguments: str) -> str:
        """Return the output of a command, or nothing if it fails."""
        return self._call(*arguments, capture_output=True).stdout.strip()

    def start(self, name: str, *arguments: str) -> None:
        """Start a container in the background.

        Raises:
            subprocess.CalledProcessError: it did not start.
        """
        self.run("run", "--detach", "--name", name, *_LIMITS, *arguments)

    def run_to_end(self, *arguments: str) -> None:
        """Run a container until it ends, then remove it.

        Raises:
            subprocess.CalledProcessError: its command failed.
        """
        self.run("run", "--rm", *_LIMITS, *arguments)

    def _call(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", *self.options, *arguments],
            check=options.pop("check", False),
            text=True,
            env=os.environ | {"TMPDIR": str(self.folder / "tmp")},
            **options,
        )


def find_program(name: str) -> str | None:
    """Return the path of a program; some are in folders that are not on every PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/libexec/podman:/usr/bin")
