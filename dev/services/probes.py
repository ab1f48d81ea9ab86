"""Readiness probes; each returns the reason why a server is not ready, or an empty string."""

import http.client
import ssl
from pathlib import Path

TIMEOUT_SECONDS = 5


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
