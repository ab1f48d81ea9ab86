"""Trying what a connection may do: one small read of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from operations.reasons import Blocked, SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, LicenseMissing, PermissionMissing
from providers.graph.kinds import KIND
from providers.graph.policy_kind import PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking
from providers.models import Access, ConnectionStatus, ProviderConnection
from providers.services import Finding

ORGANIZATION = "organization"
_ORGANIZATION_PATH = "/v1.0/organization"
_SELECT = {"$select": "id,displayName,verifiedDomains"}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Found(StrEnum):
    """What one probe found."""

    GRANTED = "granted"
    MISSING = "missing"
    NOT_LICENSED = "not_licensed"
    UNKNOWN = "unknown"
    #: Of writing: the token does not say.
    UNTOLD = "untold"


#: Every probe in order: its key, what people call it, its path.
PROBES: dict[str, tuple[str, str]] = {
    ORGANIZATION: ("Organization", _ORGANIZATION_PATH),
    **{kind.key: (kind.label_plural, kind.list_path) for kind in KIND.values()},
}

#: The kinds that a restore writes, by the key of what is found about writing them.
WRITES: dict[str, PolicyKind] = {
    f"write/{kind.key}": kind for kind in KIND.values() if kind.restore is Restore.FULL
}


class Prober:
    """Probes one connection and reports each probe as an item of the run."""

    def __init__(self, run: ActiveRun, client: GraphClient, connection: ProviderConnection) -> None:
        self._run = run
        self._client = client
        self._connection = connection
        self._unknown_code = ""

    def probe_all(self) -> Finding:
        """Try everything once.

        Raises:
            Blocked: nothing of the connection is let in, or it leads to another tenant.
        """
        writes = WRITES if self._connection.access == Access.READ_WRITE else {}
        self._run.expect(len(PROBES) + len(writes))
        results = dict(self._probes())
        for key, kind in writes.items():
            results[key] = self._look_for_write(key, kind).value
        return derive_finding(results, self._unknown_code)

    def _probes(self) -> Iterator[tuple[str, str]]:
        for key, (label, path) in PROBES.items():
            self._run.checkpoint()
            self._run.set_phase(f"Trying: {label}")
            yield key, self._probe(key, label, path).value

    def _probe(self, key: str, label: str, path: str) -> Found:
        try:
            answer = self._client.get(path, _SELECT if key == ORGANIZATION else {"$top": "1"})
        except GraphError as error:
            raise_if_blocking(error)
            return self._report(key, label, error)
        if key == ORGANIZATION:
            require_tenant(answer, str(self._connection.tenant.external_id))
        self._run.report_success(key, label=label)
        return Found.GRANTED

    def _look_for_write(self, key: str, kind: PolicyKind) -> Found:
        """Writing is not tried: the token names what was consented to."""
        permission, label = kind.permission.write, f"Writing {in_sentence(kind.label_plural)}"
        named = self._client.names(permission)
        if named is False:
            error = SafeError(
                "write_permission_missing",
                kind=in_sentence(kind.label_plural),
                permission=permission,
            )
            self._run.report_failure(key, error, label=label)
            return Found.MISSING
        self._run.report_success(key, label=label)
        return Found.GRANTED if named else Found.UNTOLD

    def _report(self, key: str, label: str, error: GraphError) -> Found:
        if isinstance(error, LicenseMissing):
            self._run.report_skip(key, error, label=label)
            return Found.NOT_LICENSED
        self._run.report_failure(key, error, label=label)
        if isinstance(error, PermissionMissing):
            return Found.MISSING
        self._unknown_code = error.code
        return Found.UNKNOWN


def derive_finding(results: dict[str, str], unknown_code: str = "") -> Finding:
    """Limited where a permission is missing; failing where not everything could be told."""
    found: Iterable[str] = results.values()
    if Found.MISSING in found:
        return Finding(ConnectionStatus.LIMITED, results, "permission_missing")
    if Found.UNKNOWN in found:
        return Finding(ConnectionStatus.FAILING, results, unknown_code)
    return Finding(ConnectionStatus.READY, results)


def require_tenant(answer: dict[str, object], expected: str) -> None:
    """Let the organization pass that the connection is meant for.

    Raises:
        Blocked: `wrong_tenant`; of the other one only its id is told.
    """
    listed = answer.get("value")
    first = listed[0] if isinstance(listed, list) and listed else {}
    found = str(first.get("id", "")).lower() if isinstance(first, dict) else ""
    if found != expected.lower():
        shown = found if _GUID.fullmatch(found) else "without an id"
        raise Blocked("wrong_tenant", found=shown, expected=expected)
