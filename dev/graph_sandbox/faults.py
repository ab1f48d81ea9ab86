"""Faults on demand: each has a name and one tenant, and lasts until it is used up or cleared."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

#: Every fault and its effect, with its options in parentheses. All faults also take `kind`,
#: `method`, `times` and `every`. A fault affects the requests within a batch one by one; with the
#: kind "batch", it affects the batch itself.
FAULTS = {
    "throttle": "429 with Retry-After (retry_after seconds, or a date: http_date=1; none: none=1)",
    "forbid": "403, the permission is missing (permission)",
    "forbid_intune": "401 with Intune's nested JSON that means 403 (permission)",
    "license": "400, the tenant has no license",
    "server_error": "5xx (status, retry_after); a write is not applied",
    "error_after_write": "504 although the write was applied",
    "drop": "the connection closes before the request is processed",
    "drop_after_write": "the write is applied, then the connection closes",
    "empty_after_write": "the write is applied, and the response has no body",
    "drop_mid_body": "the connection closes in the middle of the response",
    "slow": "the response is delayed (ms)",
    "slow_replication": "created and changed objects are not visible for a moment (ms)",
    "late_write": "504, and the write is applied a moment later (ms)",
    "truncated_page": "the JSON of a 200 is cut off",
    "garbage": "200 with HTML instead of JSON",
    "empty": "200 without a body",
    "expired_page_token": "400 for a link to the next page (code, message)",
    "foreign_next_link": "nextLink points to another host (url)",
    "loop_next_link": "nextLink points to the same page",
    "empty_page": "a page without objects, with a nextLink to the first real page",
    "short_settings": "the settings of a policy end early, without a nextLink",
    "delta_expired": "410 for the changes since a delta link",
    "batch_missing": "the response of a batch lacks the last of its requests",
    "batch_repeated": "the response of a batch contains its first request twice",
    "batch_foreign": "the response of a batch answers a request that was not in it",
    "no_assignments": "assignments are omitted although expanded",
    "redirect": "302 to another host (url)",
    "edited": "an administrator edits an object just before the list is read",
    "removed": "an administrator removes an object just before the list is read",
    "gone": "404 for single objects, as if removed after the list was read",
    "encrypt_values": "a write encrypts OMA-URI values, as Intune does: reads return a mask",
    "revoke_credential": "the credential and all tokens are refused",
    "expire_credential": "the credential has expired and all tokens are refused",
    "remove_consent": "the app is no longer in the tenant",
    "sign_in_unavailable": "the sign-in returns 503",
    "sign_in_proxy": "a proxy answers the sign-in with HTML or its own JSON (status, json)",
    "refuse_tokens": "Graph returns 401 for every token",
}


@dataclass
class Fault:
    """One fault.

    `times` is how often it still applies, `every` limits it to each nth request, and `requests`
    counts the requests that matched it.
    """

    name: str
    kind: str = ""
    method: str = ""
    times: int | None = None
    every: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    requests: int = 0

    def applies_to(self, kind: str, method: str) -> bool:
        """Count this request and return whether the fault applies to it."""
        if (self.kind and self.kind != kind) or (self.method and self.method != method):
            return False
        self.requests += 1
        if self.times == 0 or self.requests % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults of every tenant. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_tenant: dict[str, list[Fault]] = {}

    def add(self, tenant_id: str, fault: Fault) -> None:
        """Add a fault to a tenant.

        Raises:
            KeyError: the fault is unknown.
        """
        if fault.name not in FAULTS:
            raise KeyError(fault.name)
        with self._lock:
            self._by_tenant.setdefault(tenant_id.lower(), []).append(fault)

    def clear(self, tenant_id: str = "") -> None:
        """Remove the faults of one tenant, or of all tenants."""
        with self._lock:
            if tenant_id:
                self._by_tenant.pop(tenant_id.lower(), None)
            else:
                self._by_tenant.clear()

    def take(
        self, tenant_id: str, name: str, kind: str = "", method: str = "", *, exact: bool = False
    ) -> Fault | None:
        """Count this request and return the first fault of this name that applies to it.

        `exact` leaves out the faults of all kinds.
        """
        with self._lock:
            for fault in self._by_tenant.get(tenant_id.lower(), ()):
                if fault.name != name or (exact and fault.kind != kind):
                    continue
                if fault.applies_to(kind, method):
                    return fault
        return None

    def active(self) -> list[dict[str, Any]]:
        """Return the faults that are not used up."""
        with self._lock:
            return [
                {"tenant_id": tenant_id, **vars(fault)}
                for tenant_id, faults in self._by_tenant.items()
                for fault in faults
                if fault.times != 0
            ]
