"""Readiness: waiting for a server, and probes that return why one is not ready, or ""."""

import http.client
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dev.services.files import tail
from dev.services.processes import ServiceError

TIMEOUT_SECONDS = 5


def wait_until_ready(
    name: str,
    process: subprocess.Popen[bytes] | None,
    responds: Callable[[], bool],
    *,
    log: Path,
    stop: Callable[[], None],
    patience: float,
) -> None:
    """Wait until a server responds; stop one that takes longer than `patience` seconds.

    Raises:
        ServiceError: it exited or did not respond; with the end of its log.
    """
    deadline = time.monotonic() + patience
    while not responds():
        if process and process.poll() is not None:
            raise ServiceError(f"{name} did not start. {tail(log)}")
        if time.monotonic() > deadline:
            stop()
            raise ServiceError(f"{name} did not respond within {patience:.0f} s. {tail(log)}")
        time.sleep(0.02)


def probe_web(port: int) -> str:
    """Check that `/healthz` responds with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = response.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"it does not respond yet ({error})"
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return ""
    return f"/healthz responds with {response.status} {body}"


def probe_https(port: int, certificate_authority: Path) -> str:
    """Check that an HTTPS server on localhost responds, with any status."""
    if not certificate_authority.exists():
        return "it has not created its certificate yet"
    try:
        trust = ssl.create_default_context(cafile=str(certificate_authority))
        connection = http.client.HTTPSConnection(
            "localhost", port, timeout=TIMEOUT_SECONDS, context=trust
        )
        connection.request("GET", "/")
        connection.getresponse().close()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"it does not respond yet ({error})"
    return ""
