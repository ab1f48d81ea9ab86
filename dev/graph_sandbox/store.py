"""Stores the tenants, their app registrations and their objects in one file."""

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
from redaction import exact_json


class Store:
    """The state of the Graph sandbox. Thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.lock = threading.RLock()
        self._dirty = False
        self._tenants: dict[str, Json] = {}
        self.signing_key = secrets.token_hex(32)
        if path and path.exists():
            state = json.loads(path.read_bytes(), cls=exact_json.ExactDecoder)
            self._tenants, self.signing_key = state["tenants"], state["signing_key"]

    # --- Tenants and app registrations ------------------------------------------------------

    def tenant_ids(self) -> list[str]:
        """Return the id of every tenant."""
        with self.lock:
            return list(self._tenants)

    def has_tenant(self, tenant_id: str) -> bool:
        """Return whether the tenant exists."""
        with self.lock:
            return tenant_id.lower() in self._tenants

    def add_tenant(self, tenant_id: str, name: str, objects: dict[str, list[Json]]) -> bool:
        """Add a tenant with its objects, unless it exists. Return whether it was added."""
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
        """Remove a tenant."""
        with self.lock:
            self._tenants.pop(tenant_id.lower(), None)
            self.touch()

    def add_app(
        self, tenant_id: str, client_id: str, *, secret: str, certificate: str, permissions: Any
    ) -> None:
        """Register an app, or replace the credential and permissions of a registered one."""
        with self.lock:
            self._tenants[tenant_id.lower()]["apps"][client_id.lower()] = {
                "secret": digest(secret) if secret else "",
                "certificate": certificate,
                "permissions": list(ALL_PERMISSIONS if permissions is None else permissions),
            }
            self.touch()

    def app(self, tenant_id: str, client_id: str) -> Json | None:
        """Return an app registration, or None."""
        with self.lock:
            apps = self._tenants.get(tenant_id.lower(), {}).get("apps", {})
            app: Json | None = apps.get(client_id.lower())
            return copy.deepcopy(app)

    def generation(self, tenant_id: str) -> int:
        """Return the current generation of tokens; tokens of earlier ones are refused."""
        with self.lock:
            return int(self._tenants[tenant_id.lower()]["generation"])

    def forget_tokens(self, tenant_id: str) -> None:
        """Refuse every token issued so far."""
        with self.lock:
            self._tenants[tenant_id.lower()]["generation"] += 1
            self.touch()

    # --- Objects ----------------------------------------------------------------------------

    def objects(self, tenant_id: str, kind: str) -> dict[str, Json]:
        """Return the objects of a kind by id. This is the live dictionary: use it under `lock`."""
        by_kind: dict[str, dict[str, Json]] = self._tenants[tenant_id.lower()]["objects"]
        return by_kind.setdefault(kind, {})

    def directory(self, tenant_id: str) -> dict[str, Json]:
        """Return every object of the directory by id, whatever its type is; use it under `lock`."""
        types = ("directory_objects", "users", "groups", "applications")
        return {
            key: entry for kind in types for key, entry in self.objects(tenant_id, kind).items()
        }

    def known_ids(self, tenant_id: str, kind: str) -> set[str]:
        """Return what identifies the objects of a kind in references to them; use it under `lock`."""
        if kind == "directory_objects":
            return set(self.directory(tenant_id))
        if kind == "applications":
            return {str(entry.get("appId")) for entry in self.objects(tenant_id, kind).values()}
        return set(self.objects(tenant_id, kind))

    def touch(self) -> None:
        """Mark the state as changed, so that `save` writes it."""
        self._dirty = True

    def save(self) -> None:
        """Write the state to the file, if there is one and the state has changed."""
        if not self._path:
            return
        with self.lock:
            if not self._dirty:
                return
            state = {"tenants": self._tenants, "signing_key": self.signing_key}
            data = exact_json.dumps(state, separators=(",", ":")).encode()
            self._dirty = False
        write_private(self._path, data)


def digest(secret: str) -> str:
    """Return the digest under which a secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()
