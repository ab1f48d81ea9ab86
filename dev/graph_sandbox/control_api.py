"""The control API under `/_sandbox/`: tenants, faults, objects and the log of requests."""

from __future__ import annotations

import copy
import hmac
import threading
import uuid
from collections.abc import Callable
from typing import Any

from dev.graph_sandbox.faults import FAULTS, Fault, Faults
from dev.graph_sandbox.messages import Json, Request, RequestRefused, Response
from dev.graph_sandbox.resources import kinds
from dev.graph_sandbox.seed.tenant import seed_tenant
from dev.graph_sandbox.store import Store

PREFIX = "/_sandbox/"
MAX_LOG = 200_000


class Log:
    """The requests to Graph: tenant, method, path and status of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Json] = []

    def add(self, **entry: Any) -> None:
        """Add one request."""
        with self._lock:
            if len(self._entries) < MAX_LOG:
                self._entries.append(entry)

    def entries(self, tenant_id: str = "") -> list[Json]:
        """Return the requests of one tenant or of all, oldest first."""
        with self._lock:
            return [e for e in self._entries if not tenant_id or e["tenant_id"] == tenant_id]

    def clear(self) -> None:
        """Remove every request."""
        with self._lock:
            self._entries.clear()


class ControlApi:
    """Runs commands: one POST to `/_sandbox/<command>` with a JSON object each."""

    def __init__(self, store: Store, faults: Faults, log: Log, token: str) -> None:
        self._store, self._faults, self._log, self._token = store, faults, log, token

    def respond(self, request: Request) -> Response:
        """Check the token, run the command and return its result."""
        token = request.headers.get("x-sandbox-token", "")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return Response(403, {"error": "The control token is missing or wrong."})
        command = self._commands().get(request.path.removeprefix(PREFIX))
        if command is None:
            return Response(404, {"error": f"Commands: {', '.join(self._commands())}"})
        try:
            with self._store.lock:
                return Response(200, {"result": command(request.json())})
        except RequestRefused as refusal:
            return Response(400, {"error": refusal.message})
        except (KeyError, TypeError, ValueError) as error:
            return Response(400, {"error": f"{type(error).__name__}: {error}"})

    def _commands(self) -> dict[str, Callable[[Json], Any]]:
        return {
            "add_tenant": self._add_tenant,
            "remove_tenant": lambda body: self._store.remove_tenant(body["tenant_id"]),
            "tenants": lambda _: self._store.tenant_ids(),
            "fault": self._add_fault,
            "faults": lambda _: self._faults.active(),
            "clear": lambda body: self._faults.clear(body.get("tenant_id", "")),
            "forget_tokens": lambda body: self._store.forget_tokens(body["tenant_id"]),
            "log": lambda body: self._log.entries(body.get("tenant_id", "")),
            "clear_log": lambda _: self._log.clear(),
            "objects": self._list_objects,
            "put_object": self._put_object,
            "delete_object": self._delete_object,
            "kinds": lambda _: list(kinds()),
        }

    def _add_tenant(self, body: Json) -> bool:
        tenant_id = str(uuid.UUID(body["tenant_id"]))
        name = body.get("name") or "Contoso"
        added = False
        if not self._store.has_tenant(tenant_id):
            seed = str(body.get("seed") or tenant_id)
            added = self._store.add_tenant(
                tenant_id, name, seed_tenant(tenant_id, name, seed, body.get("sizes") or {})
            )
        self._store.add_app(
            tenant_id,
            str(uuid.UUID(body["client_id"])),
            secret=body.get("secret", ""),
            certificate=body.get("certificate", ""),
            permissions=body.get("permissions"),
        )
        return added

    def _add_fault(self, body: Json) -> None:
        if body["name"] not in FAULTS:
            raise KeyError(f"no fault {body['name']}; there are: {', '.join(FAULTS)}")
        options = dict(body.get("options") or {})
        times = options.pop("times", None)
        fault = Fault(
            body["name"],
            kind=str(options.pop("kind", "")),
            method=str(options.pop("method", "")).upper(),
            times=None if times is None else int(times),
            every=max(1, int(options.pop("every", 1))),
            options=options,
        )
        self._faults.add(body["tenant_id"], fault)

    def _list_objects(self, body: Json) -> list[Json]:
        return copy.deepcopy(list(self._store.objects(body["tenant_id"], body["kind"]).values()))

    def _put_object(self, body: Json) -> str:
        entry = body["object"]
        entry.setdefault("id", str(uuid.uuid4()))
        self._store.objects(body["tenant_id"], body["kind"])[entry["id"]] = entry
        self._store.touch()
        return str(entry["id"])

    def _delete_object(self, body: Json) -> None:
        self._store.objects(body["tenant_id"], body["kind"]).pop(body["id"], None)
        self._store.touch()
