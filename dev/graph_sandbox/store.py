"""The tenants, their app registrations and their objects; kept in one file."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
import threading
from pathlib import Path
from typing import Any

from dev.graph_sandbox.files import write_private
from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.resources import ALL_PERMISSIONS, kinds


class Store:
    """Everything the Graph sandbox knows; safe to use from many threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.lock = threading.RLock()
        self._dirty = False
        self._tenants: dict[str, Json] = {}
        self.signing_key = secrets.token_hex(32)
        if path and path.exists():
            kept = json.loads(path.read_bytes())
            self._tenants, self.signing_key = kept["tenants"], kept["signing_key"]

    # --- Tenants and app registrations ------------------------------------------------------

    def tenant_ids(self) -> list[str]:
        """Every tenant."""
        with self.lock:
            return list(self._tenants)

    def has_tenant(self, tenant_id: str) -> bool:
        """Whether the tenant exists."""
        with self.lock:
            return tenant_id.lower() in self._tenants

    def add_tenant(self, tenant_id: str, name: str, objects: dict[str, list[Json]]) -> bool:
        """Add a tenant with its objects; one that exists keeps what it has."""
        with self.lock:
            if tenant_id.lower() in self._tenants:
                return False
            by_kind = {kind: {o["id"]: o for o in objects.get(kind, ())} for kind in kinds()}
            self._tenants[tenant_id.lower()] = {
                "name": name,
                "apps": {},
                "generation": 0,
                "objects": by_kind,
            }
            self.touch()
            return True

    def remove_tenant(self, tenant_id: str) -> None:
        """Forget a tenant."""
        with self.lock:
            self._tenants.pop(tenant_id.lower(), None)
            self.touch()

    def add_app(
        self, tenant_id: str, client_id: str, *, secret: str, certificate: str, permissions: Any
    ) -> None:
        """Register an app, or give a registered one another credential and other permissions."""
        with self.lock:
            self._tenants[tenant_id.lower()]["apps"][client_id.lower()] = {
                "secret": digest(secret) if secret else "",
                "certificate": certificate,
                "permissions": list(ALL_PERMISSIONS if permissions is None else permissions),
            }
            self.touch()

    def app(self, tenant_id: str, client_id: str) -> Json | None:
        """An app registration."""
        with self.lock:
            found = self._tenants.get(tenant_id.lower(), {}).get("apps", {})
            app: Json | None = found.get(client_id.lower())
            return copy.deepcopy(app)

    def generation(self, tenant_id: str) -> int:
        """Tokens of an earlier generation are refused."""
        with self.lock:
            return int(self._tenants[tenant_id.lower()]["generation"])

    def forget_tokens(self, tenant_id: str) -> None:
        """Refuse every token issued so far."""
        with self.lock:
            self._tenants[tenant_id.lower()]["generation"] += 1
            self.touch()

    # --- Objects ----------------------------------------------------------------------------

    def objects(self, tenant_id: str, kind: str) -> dict[str, Json]:
        """The objects of a kind by id: the very dictionary, to be used under `lock`."""
        found: dict[str, Json] = self._tenants[tenant_id.lower()]["objects"].setdefault(kind, {})
        return found

    def touch(self) -> None:
        """Something changed and wants to be kept."""
        self._dirty = True

    def save(self) -> None:
        """Write what changed since the last time, if there is a file."""
        if not self._path:
            return
        with self.lock:
            if not self._dirty:
                return
            kept = {"tenants": self._tenants, "signing_key": self.signing_key}
            data = json.dumps(kept, separators=(",", ":")).encode()
            self._dirty = False
        write_private(self._path, data)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
