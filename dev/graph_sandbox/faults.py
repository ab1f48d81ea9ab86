"""What goes wrong on demand: each fault by name, for one tenant, until it is used up or cleared."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

#: Every fault with what it does; options in brackets besides `kind`, `method`, `times`, `every`.
FAULTS = {
    "throttle": "429 with Retry-After (retry_after seconds, or a date: http_date=1; none: none=1)",
    "forbid": "403, the permission is missing (permission)",
    "forbid_intune": "401 with Intune's nested JSON that means 403 (permission)",
    "license": "400, the tenant has no license",
    "server_error": "5xx (status, retry_after); a write is not applied",
    "error_after_write": "504 although the write was applied",
    "drop": "the connection closes before anything is done",
    "drop_after_write": "the write is applied, then the connection closes",
    "drop_mid_body": "the connection closes in the middle of the answer",
    "slow": "the answer takes its time (ms)",
    "slow_replication": "what was created or changed is not seen for a moment (ms)",
    "late_write": "504, and the write is applied a moment later (ms)",
    "truncated_page": "the JSON of a 200 is cut off",
    "garbage": "200 with HTML instead of JSON",
    "foreign_next_link": "nextLink leads to another host (url)",
    "loop_next_link": "nextLink leads to the page itself",
    "empty_page": "a page without objects, but with a nextLink to the real one",
    "short_settings": "a policy's settings end early, without a nextLink",
    "no_assignments": "assignments are left out although expanded",
    "redirect": "302 to another host (url)",
    "edited": "an administrator edits one of the objects just before they are listed",
    "removed": "an administrator removes one of the objects just before they are listed",
    "gone": "404 for single objects, as if removed since the list",
    "revoke_credential": "the credential is refused and tokens are worth nothing",
    "expire_credential": "the credential has expired and tokens are worth nothing",
    "remove_consent": "the app is not in the tenant any more",
    "sign_in_unavailable": "the sign-in answers 503",
    "refuse_tokens": "Graph answers 401 to every token",
}


@dataclass
class Fault:
    """One fault at work. `times`: how often it still strikes; `every`: only each nth request."""

    name: str
    kind: str = ""
    method: str = ""
    times: int | None = None
    every: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0

    def strikes(self, kind: str, method: str) -> bool:
        """Whether it strikes this request; counts it."""
        if (self.kind and self.kind != kind) or (self.method and self.method != method):
            return False
        self.seen += 1
        if self.times == 0 or self.seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults at work, by tenant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_tenant: dict[str, list[Fault]] = {}

    def add(self, tenant_id: str, fault: Fault) -> None:
        """Let it strike from now on.

        Raises:
            KeyError: no such fault.
        """
        if fault.name not in FAULTS:
            raise KeyError(fault.name)
        with self._lock:
            self._by_tenant.setdefault(tenant_id.lower(), []).append(fault)

    def clear(self, tenant_id: str = "") -> None:
        """All is well again, for one tenant or for all."""
        with self._lock:
            if tenant_id:
                self._by_tenant.pop(tenant_id.lower(), None)
            else:
                self._by_tenant.clear()

    def strike(self, tenant_id: str, name: str, kind: str = "", method: str = "") -> Fault | None:
        """The first fault of this name that strikes this request."""
        with self._lock:
            for fault in self._by_tenant.get(tenant_id.lower(), ()):
                if fault.name == name and fault.strikes(kind, method):
                    return fault
        return None

    def active(self) -> list[dict[str, Any]]:
        """What is at work."""
        with self._lock:
            return [
                {"tenant_id": tenant_id, **vars(fault)}
                for tenant_id, faults in self._by_tenant.items()
                for fault in faults
                if fault.times != 0
            ]
