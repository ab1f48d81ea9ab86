"""Client of the control API: adds tenants and faults to a running Graph sandbox."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from redaction import exact_json

Json = dict[str, Any]


class SandboxError(Exception):
    """The Graph sandbox could not be reached or refused the command; the text says why."""


class SandboxControl:
    """The control API of the Graph sandbox at `url`; `ca` is its `ca.pem`."""

    def __init__(self, url: str, token: str, ca: str | Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        context = ssl.create_default_context(cafile=ca or None)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    @classmethod
    def from_environment(cls) -> Self:
        """Connect to GRAPH_SANDBOX_URL.

        The token comes from GRAPH_SANDBOX_TOKEN, or from the file `control-token` beside
        GRAPH_CA_BUNDLE.

        Raises:
            SandboxError: the address or the token is missing.
        """
        url, ca = os.environ.get("GRAPH_SANDBOX_URL", ""), os.environ.get("GRAPH_CA_BUNDLE", "")
        return cls.at(url, ca, os.environ.get("GRAPH_SANDBOX_TOKEN", ""))

    @classmethod
    def at(cls, url: str, ca: str | Path, token: str = "") -> Self:
        """Connect to this address; an empty token is read from `control-token` beside `ca`.

        Raises:
            SandboxError: the address or the token is missing.
        """
        if not url:
            raise SandboxError("No Graph sandbox: GRAPH_SANDBOX_URL is not set.")
        if not token:
            path = Path(ca).parent / "control-token"
            if not ca or not path.exists():
                raise SandboxError("No control token: set GRAPH_SANDBOX_TOKEN.")
            token = path.read_text().strip()
        return cls(url, token, ca or None)

    # --- Tenants ----------------------------------------------------------------------------

    def add_tenant(
        self,
        tenant_id: object,
        client_id: object,
        secret: str = "",
        *,
        name: str = "Contoso",
        seed: str = "",
        sizes: Mapping[str, int] | None = None,
        permissions: Sequence[str] | None = None,
        certificate: str = "",
    ) -> bool:
        """Add a seeded tenant and register an app. Return whether the tenant is new.

        An existing tenant keeps its objects. Its app gets the new credential and permissions;
        None grants every permission. `sizes` is the number of objects by kind.
        """
        body = {
            "tenant_id": str(tenant_id),
            "client_id": str(client_id),
            "secret": secret,
            "name": name,
            "seed": seed,
            "sizes": dict(sizes or {}),
            "permissions": None if permissions is None else list(permissions),
            "certificate": certificate,
        }
        return bool(self.call("add_tenant", body))

    def remove_tenant(self, tenant_id: object) -> None:
        """Remove the tenant."""
        self.call("remove_tenant", {"tenant_id": str(tenant_id)})

    def tenants(self) -> list[str]:
        """Return the id of every tenant."""
        return list(self.call("tenants"))

    # --- Faults -----------------------------------------------------------------------------

    def fault(self, tenant_id: object, name: str, **options: Any) -> None:
        """Add a fault from `dev.graph_sandbox.faults.FAULTS`.

        Every fault takes `kind`, `method`, `times` (how often it applies) and `every` (it applies
        to each nth request only).
        """
        self.call("fault", {"tenant_id": str(tenant_id), "name": name, "options": options})

    def faults(self) -> list[Json]:
        """Return the active faults."""
        return list(self.call("faults"))

    def clear(self, tenant_id: object = "") -> None:
        """Remove all faults of one tenant, or of all tenants."""
        self.call("clear", {"tenant_id": str(tenant_id)})

    def forget_tokens(self, tenant_id: object) -> None:
        """Refuse every token issued so far."""
        self.call("forget_tokens", {"tenant_id": str(tenant_id)})

    # --- Requests and objects ---------------------------------------------------------------

    def log(self, tenant_id: object = "") -> list[Json]:
        """Return every request, oldest first.

        Keys: at, tenant_id, kind, method, path, query, status (0: the connection was cut), in_batch.
        """
        return list(self.call("log", {"tenant_id": str(tenant_id)}))

    def counts(self, tenant_id: object = "") -> Counter[tuple[str, str]]:
        """Return the number of requests by (method, kind)."""
        return Counter((entry["method"], entry["kind"]) for entry in self.log(tenant_id))

    def clear_log(self) -> None:
        """Clear the log of requests."""
        self.call("clear_log")

    def objects(self, tenant_id: object, kind: str) -> list[Json]:
        """Return the objects of a kind, including properties that Graph returns only on request."""
        return list(self.call("objects", {"tenant_id": str(tenant_id), "kind": kind}))

    def put_object(self, tenant_id: object, kind: str, entry: Json) -> str:
        """Add or replace an object without the checks of Graph. Return its id."""
        body = {"tenant_id": str(tenant_id), "kind": kind, "object": entry}
        return str(self.call("put_object", body))

    def delete_object(self, tenant_id: object, kind: str, object_id: str) -> None:
        """Remove an object without the checks of Graph."""
        body = {"tenant_id": str(tenant_id), "kind": kind, "id": object_id}
        self.call("delete_object", body)

    def call(self, command: str, body: Json | None = None) -> Any:
        """Send one command.

        Raises:
            SandboxError: the sandbox was not reached or refused the command.
        """
        request = urllib.request.Request(  # noqa: S310 - the operator's own address
            f"{self.url}/_sandbox/{command}",
            data=exact_json.dumps(body or {}).encode(),
            headers={"X-Sandbox-Token": self._token, "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=30) as response:
                return json.load(response, cls=exact_json.ExactDecoder)["result"]
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            raise SandboxError(f"{command}: {text[:500]}") from None
        except OSError as error:
            raise SandboxError(
                f"The Graph sandbox at {self.url} does not respond: {error}"
            ) from None
