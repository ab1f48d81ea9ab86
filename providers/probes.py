"""Checks the permissions of a connection with one small read of each kind."""

from __future__ import annotations

import re
from enum import StrEnum

from operations.reasons import Blocked, SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, LicenseMissing, PermissionMissing
from providers.graph.kinds import KIND
from providers.graph.permissions import is_required, is_required_to_write
from providers.graph.policy_kind import PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking
from providers.models import Access, ConnectionStatus, ProviderConnection
from providers.services import Finding

ORGANIZATION = "organization"
_ORGANIZATION_PATH = "/v1.0/organization"


def _params_of(kind: PolicyKind) -> dict[str, str]:
    """The query that reads one object of a kind; Graph requires the filter of some lists."""
    if kind.is_singleton:
        return {}
    required = {name: value for name, value in kind.list_params.items() if name == "$filter"}
    return {"$top": "1", **required}


_PARAMS = {ORGANIZATION: {"$select": "id,displayName,verifiedDomains"}} | {
    kind.key: _params_of(kind) for kind in KIND.values()
}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ProbeResult(StrEnum):
    """The result of one probe."""

    GRANTED = "granted"
    MISSING = "missing"
    #: The permission is missing, and the kind can be left out.
    LEFT_OUT = "left_out"
    NOT_LICENSED = "not_licensed"
    UNKNOWN = "unknown"
    #: For write access: the token does not name its permissions.
    UNVERIFIED = "unverified"


#: The key, label and path of every probe, in order. Graph lists no kind that includes others.
PROBES: dict[str, tuple[str, str]] = {
    ORGANIZATION: ("Organization", _ORGANIZATION_PATH),
    **{
        kind.key: (kind.label_plural, kind.list_path) for kind in KIND.values() if not kind.includes
    },
}

#: The kinds that a restore writes, by the key of their result.
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
        """Run every probe once.

        Raises:
            Blocked: the connection is refused, or it belongs to another tenant.
        """
        writes = WRITES if self._connection.access == Access.READ_WRITE else {}
        self._run.expect(len(PROBES) + len(writes))
        results: dict[str, str] = {}
        for key, (label, path) in PROBES.items():
            self._run.checkpoint()
            self._run.set_phase("Checking permissions", label)
            results[key] = self._probe(key, label, path).value
        for key, kind in writes.items():
            results[key] = self._probe_write(key, kind).value
        return derive_finding(results, self._unknown_code)

    def _probe(self, key: str, label: str, path: str) -> ProbeResult:
        try:
            body = self._client.get(path, _PARAMS[key])
        except GraphError as error:
            raise_if_blocking(error)
            return self._report(key, label, error)
        if key == ORGANIZATION:
            require_tenant(body, str(self._connection.tenant.external_id))
        self._run.report_success(key, label=label)
        return ProbeResult.GRANTED

    def _probe_write(self, key: str, kind: PolicyKind) -> ProbeResult:
        """Look for the permission in the token, without writing."""
        permission, noun = kind.write_permission, in_sentence(kind.label_plural)
        label = f"Writing {noun}"
        is_granted = self._client.has_permission(permission)
        if is_granted is False:
            error = SafeError("write_permission_missing", kind=noun, permission=permission)
            return self._report_missing(key, label, error, is_required=is_required_to_write(kind))
        self._run.report_success(key, label=label)
        if is_granted is None:
            return ProbeResult.UNVERIFIED
        return ProbeResult.GRANTED

    def _report(self, key: str, label: str, error: GraphError) -> ProbeResult:
        if isinstance(error, LicenseMissing):
            self._run.report_skip(key, error, label=label)
            return ProbeResult.NOT_LICENSED
        if isinstance(error, PermissionMissing):
            needed = key == ORGANIZATION or is_required(KIND[key])
            return self._report_missing(key, label, error, is_required=needed)
        self._run.report_failure(key, error, label=label)
        self._unknown_code = error.code
        return ProbeResult.UNKNOWN

    def _report_missing(
        self, key: str, label: str, error: SafeError, *, is_required: bool
    ) -> ProbeResult:
        if not is_required:
            self._run.report_skip(key, error, label=label)
            return ProbeResult.LEFT_OUT
        self._run.report_failure(key, error, label=label)
        return ProbeResult.MISSING


def derive_finding(results: dict[str, str], unknown_code: str = "") -> Finding:
    """Return LIMITED if a required permission is missing, else FAILING if a result is unknown, else READY."""
    if ProbeResult.MISSING in results.values():
        return Finding(ConnectionStatus.LIMITED, results, "permission_missing")
    if ProbeResult.UNKNOWN in results.values():
        return Finding(ConnectionStatus.FAILING, results, unknown_code)
    return Finding(ConnectionStatus.READY, results)


def require_tenant(body: dict[str, object], expected: str) -> None:
    """Check that the organization in a response is the expected tenant.

    Raises:
        Blocked: `wrong_tenant`; it reports only the id of the other tenant.
    """
    organizations = body.get("value")
    first = organizations[0] if isinstance(organizations, list) and organizations else {}
    tenant_id = str(first.get("id", "")).lower() if isinstance(first, dict) else ""
    if tenant_id != expected.lower():
        reported_id = tenant_id if _GUID.fullmatch(tenant_id) else "without an id"
        raise Blocked("wrong_tenant", found=reported_id, expected=expected)
