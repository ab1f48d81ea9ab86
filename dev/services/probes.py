"""Is it up yet? Each probe returns what is missing, or nothing."""

import http.client
import ssl
from pathlib import Path

TIMEOUT_SECONDS = 5


def web_missing(port: int) -> str:
    """What keeps `/healthz` from answering 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = response.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"it does not answer yet ({error})"
    finally:
        connection.close()
    return (
        "" if response.status == http.HTTPStatus.OK else f"/healthz says {response.status} {body}"
    )


def https_missing(port: int, certificate_authority: Path) -> str:
    """What keeps an HTTPS server on localhost from answering, whatever its answer."""
    if not certificate_authority.exists():
        return "it has not made its certificate yet"
    try:
        trust = ssl.create_default_context(cafile=str(certificate_authority))
        connection = http.client.HTTPSConnection(
            "localhost", port, timeout=TIMEOUT_SECONDS, context=trust
        )
        connection.request("GET", "/")
        connection.getresponse().close()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"it does not answer yet ({error})"
    return ""
