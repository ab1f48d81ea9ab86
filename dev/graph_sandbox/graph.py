"""Graph's part: lists, objects and actions, with the faults that were asked for."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json
import re
import threading
import time
import uuid
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from dev.graph_sandbox import odata, writes
from dev.graph_sandbox.faults import Fault, Faults
from dev.graph_sandbox.messages import Answer, Cut, Json, Refused, Request
from dev.graph_sandbox.resources import Resource, find
from dev.graph_sandbox.sign_in import SignIn
from dev.graph_sandbox.store import Store

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Graph:
    """Answers under `/v1.0/` and `/beta/`; `served` counts every request that was understood."""

    def __init__(self, store: Store, faults: Faults, sign_in: SignIn) -> None:
        self._store = store
        self._faults = faults
        self._sign_in = sign_in
        #: What changed objects were before, and since when they are not: for slow replication.
        self._earlier: dict[tuple[str, str], tuple[float, Json]] = {}

    def answer(self, request: Request) -> tuple[Answer, str, str]:
        """The answer, with the tenant and the kind it was about."""
        ids = _ids(request)
        tenant_id = kind = ""
        try:
            claims = self._sign_in.claims(request.headers.get("authorization", ""))
            resource, rest = _resource(request)
            tenant_id, kind = (claims or {}).get("tid", ""), resource.kind
            roles = self._roles(claims)
            answer = self._with_faults(request, tenant_id, roles, resource, rest)
        except Refused as refused:
            answer = refused.answer(ids)
        answer.headers = {**ids, "x-ms-ags-diagnostic": '{"ServerInfo":{}}', **answer.headers}
        return answer, tenant_id, kind

    def _roles(self, claims: Json | None) -> list[str]:
        """The permissions in a token that is still good."""
        if claims is None or not self._sign_in.is_good(claims):
            text = "Access token validation failure."
            raise Refused(401, "InvalidAuthenticationToken", text)
        return list(claims["roles"])

    # --- Faults -----------------------------------------------------------------------------

    def _with_faults(
        self,
        request: Request,
        tenant_id: str,
        roles: list[str],
        resource: Resource,
        rest: list[str],
    ) -> Answer:
        def strike(name: str) -> Fault | None:
            return self._faults.strike(tenant_id, name, resource.kind, request.method)

        if fault := strike("slow"):
            time.sleep(float(fault.options.get("ms", 500)) / 1000)
        if spoilt := _before(strike, resource, request):
            return spoilt
        _check_permission(roles, resource, request.method)
        single = len(rest) == 1 and request.method == "GET"
        if single and strike("gone"):
            raise Refused(404, "ResourceNotFound", "Resource does not exist.")
        if request.method == "GET" and not rest and strike("empty_page"):
            url = f"{request.base_url}{request.path}"
            return Answer(
                200, {"value": [], "@odata.nextLink": odata.next_link(url, request.query, 0)}
            )
        with self._store.lock:
            answer = self._handle(request, tenant_id, resource, rest)
        return _after(strike, answer, request)

    # --- What was asked ---------------------------------------------------------------------

    def _handle(
        self, request: Request, tenant_id: str, resource: Resource, rest: list[str]
    ) -> Answer:
        objects = self._store.objects(tenant_id, resource.kind)
        if request.method == "GET":
            odata.check_query(request.query)
            if not rest:
                self._administer(tenant_id, resource, objects)
            seen = self._replicated(tenant_id, resource, objects)
            return Answer(200, self._read(request, resource, seen, rest))
        if not resource.writable:
            raise Refused(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
        if fault := self._faults.strike(tenant_id, "late_write", resource.kind, request.method):
            later = float(fault.options.get("ms", 200)) / 1000
            given = (request, tenant_id, resource, rest)
            threading.Timer(later, self._write_late, given).start()
            raise Refused(504, "GatewayTimeout", "")
        return self._write(request, tenant_id, resource, rest)

    def _write(
        self, request: Request, tenant_id: str, resource: Resource, rest: list[str]
    ) -> Answer:
        objects = self._store.objects(tenant_id, resource.kind)
        known = writes.Known(
            *(
                set(self._store.objects(tenant_id, kind))
                for kind in ("groups", "named_location", "assignment_filters")
            )
        )
        before = copy.deepcopy(objects.get(rest[0])) if rest else None
        answer = writes.apply(request, resource, objects, rest, known)
        if before and rest[0] in objects:
            self._earlier[tenant_id, rest[0]] = (time.monotonic(), before)
        self._store.touch()
        return answer

    def _write_late(self, *given: Any) -> None:
        """A write whose answer was given up, and that arrives all the same."""
        with self._store.lock, contextlib.suppress(Refused):
            self._write(*given)

    def _administer(self, tenant_id: str, resource: Resource, objects: dict[str, Json]) -> None:
        """What an administrator of the tenant does meanwhile; the last object is never removed."""
        if objects and (fault := self._faults.strike(tenant_id, "edited", resource.kind, "GET")):
            entry = list(objects.values())[fault.seen % len(objects)]
            entry["description"] = f"Changed in the admin center, change {fault.seen}"
            entry["lastModifiedDateTime"] = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%f0Z}"
            self._store.touch()
        if len(objects) > 1 and self._faults.strike(tenant_id, "removed", resource.kind, "GET"):
            objects.popitem()
            self._store.touch()

    def _replicated(
        self, tenant_id: str, resource: Resource, objects: dict[str, Json]
    ) -> dict[str, Json]:
        """The objects that have arrived where they are read from, as they have arrived."""
        fault = self._faults.strike(tenant_id, "slow_replication", resource.kind, "GET")
        if fault is None:
            return objects
        seconds = float(fault.options.get("ms", 500)) / 1000
        delay = dt.timedelta(seconds=seconds)
        arrived = f"{dt.datetime.now(dt.UTC) - delay:%Y-%m-%dT%H:%M:%S.%f0Z}"
        return {
            object_id: self._as_arrived(tenant_id, object_id, entry, seconds)
            for object_id, entry in objects.items()
            if str(entry.get("createdDateTime") or "") <= arrived
        }

    def _as_arrived(self, tenant_id: str, object_id: str, entry: Json, seconds: float) -> Json:
        """An object as it was before its last change, until that has arrived."""
        at, earlier = self._earlier.get((tenant_id, object_id), (0.0, entry))
        return earlier if time.monotonic() - at < seconds else entry

    def _read(
        self, request: Request, resource: Resource, objects: dict[str, Json], rest: list[str]
    ) -> Json:
        context = f"{request.base_url}/{resource.version}/$metadata#{resource.path.strip('/')}"
        if not rest:
            return {"@odata.context": context, **_list(request, resource, objects)}
        found = _one(objects, resource, rest[0])
        if len(rest) == 1:
            expanded = odata.expansions(request.query.get("$expand", ""))
            view = odata.select(_view(found, resource, expanded), request.query.get("$select", ""))
            return {"@odata.context": f"{context}/$entity", **view}
        part = rest[1]
        if len(rest) != 2 or part not in resource.hidden:
            raise Refused(400, "BadRequest", f"Resource not found for the segment '{rest[-1]}'.")
        url = f"{request.base_url}{request.path}"
        entries = copy.deepcopy(found.get(part) or [])
        return {
            "@odata.context": context,
            **odata.page(entries, request.query, url, default=25, most=1000),
        }


def _ids(request: Request) -> dict[str, str]:
    given = request.headers.get("client-request-id", "")
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S}",
        "request-id": str(uuid.uuid4()),
        "client-request-id": given if _GUID.fullmatch(given) else str(uuid.uuid4()),
    }


def _resource(request: Request) -> tuple[Resource, list[str]]:
    found = find(request.path)
    if found is None:
        segment = request.path.rsplit("/", 1)[-1]
        raise Refused(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
    return found[0], [unquote(part) for part in found[1]]


def _check_permission(granted: list[str], resource: Resource, method: str) -> None:
    needed = resource.read if method == "GET" else resource.write
    if not set(granted) & set(needed):
        _forbid(resource, " or ".join(needed[:1]), needed)


def _forbid(resource: Resource, permission: str, scopes: Any = ()) -> None:
    if resource.path.startswith("/device"):
        named = ", ".join(scopes or [permission])
        text = f"Application is not authorized to perform this operation. Application must have one of the following scopes: {named} - Operation ID (for customer support): {uuid.uuid4()} - Activity ID: {uuid.uuid4()} - Url: https://fef.msub05.manage.microsoft.com/StatelessDeviceConfigurationFEService/deviceManagement"
        nested = {"_version": 3, "Message": text, "CustomApiErrorPhrase": "", "RetryAfter": None,
                  "ErrorSourceService": "", "HttpHeaders": "{}"}  # fmt: skip
        raise Refused(403, "Forbidden", json.dumps(nested))
    if resource.path.startswith("/identity"):
        raise Refused(403, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token.")  # fmt: skip
    text = "Insufficient privileges to complete the operation."
    raise Refused(403, "Authorization_RequestDenied", text)


def _before(strike: Any, resource: Resource, request: Request) -> Answer | None:
    """Faults that strike before anything is done."""
    if fault := strike("throttle"):
        _throttle(resource, fault)
    if fault := strike("forbid"):
        _forbid(resource, str(fault.options.get("permission") or resource.read[0]))
    if fault := strike("forbid_intune"):
        inner = json.dumps({"ErrorCode": "Forbidden", "Message": "Forbidden"})
        raise Refused(401, "Unauthorized", json.dumps({"ErrorCode": "Forbidden", "Message": inner}))
    if strike("license"):
        raise Refused(400, "BadRequest", "Request not applicable to target tenant.")
    if fault := strike("server_error"):
        status, wait = int(fault.options.get("status", 503)), fault.options.get("retry_after")
        headers = {} if wait is None else {"Retry_After": str(wait)}
        raise Refused(status, "UnknownError", "", **headers)
    if fault := strike("redirect"):
        url = str(fault.options.get("url", "https://graph.example.net/"))
        return Answer(302, None, {"Location": url})
    if strike("drop"):
        return Answer(200, cut=Cut.NOT_SENT)
    return None


def _throttle(resource: Resource, fault: Fault) -> None:
    headers = {} if resource.paced or fault.options.get("none") else _retry_after(fault)
    raise Refused(429, "TooManyRequests", "Please retry again later.", **headers)


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = float(fault.options.get("retry_after", 1))
    if not fault.options.get("http_date"):
        return {"Retry_After": f"{seconds:g}"}
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return {"Retry_After": format_datetime(at, usegmt=True)}


def _after(strike: Any, answer: Answer, request: Request) -> Answer:
    """Faults that spoil a good answer on its way."""
    if request.method != "GET":
        return _after_write(strike, answer)
    body = answer.body or {}
    if "value" in body:
        _spoil_page(strike, body, request)
    if strike("no_assignments"):
        for entry in [body, *body.get("value", [])]:
            entry.pop("assignments", None)
    if strike("drop_mid_body"):
        answer.cut = Cut.HALF
    if strike("truncated_page"):
        whole = answer.encoded()
        answer.raw = whole[: len(whole) // 2]
    if strike("garbage"):
        answer.raw = b"<!DOCTYPE html><html><body>Service Unavailable</body></html>"
    return answer


def _after_write(strike: Any, answer: Answer) -> Answer:
    if strike("drop_after_write"):
        answer.cut = Cut.NOT_SENT
    if strike("error_after_write"):
        raise Refused(504, "GatewayTimeout", "")
    return answer


def _spoil_page(strike: Any, body: Json, request: Request) -> None:
    if fault := strike("foreign_next_link"):
        body["@odata.nextLink"] = str(fault.options.get("url", "http://169.254.169.254/latest/"))
    if strike("loop_next_link"):
        body["@odata.nextLink"] = odata.next_link(
            f"{request.base_url}{request.path}", request.query, 0
        )
    if request.path.endswith("/settings") and strike("short_settings"):
        body["value"] = body["value"][: max(1, len(body["value"]) // 2)]
        body.pop("@odata.nextLink", None)


def _list(request: Request, resource: Resource, objects: dict[str, Json]) -> Json:
    expanded = odata.expansions(request.query.get("$expand", ""))
    if resource.kind == "app_protection" and not resource.type_only and expanded:
        raise Refused(400, "BadRequest", "Could not find a property named 'assignments'.")
    found = [entry for entry in objects.values() if _is_of(entry, resource)]
    found = [entry for entry in found if odata.matches(entry, request.query.get("$filter", ""))]
    url = f"{request.base_url}{request.path}"
    page = odata.page(found, request.query, url, default=resource.page, most=resource.max_page)
    names = request.query.get("$select", "")
    page["value"] = [odata.select(_view(e, resource, expanded), names) for e in page["value"]]
    return page


def _is_of(entry: Json, resource: Resource) -> bool:
    return not resource.type_only or entry.get("@odata.type") == resource.type_only


def _one(objects: dict[str, Json], resource: Resource, object_id: str) -> Json:
    found = objects.get(object_id)
    if found is None or not _is_of(found, resource):
        text = f"Resource '{object_id}' does not exist or one of its queried reference-property objects are not present."
        raise Refused(404, "ResourceNotFound", text)
    return found


def _view(entry: Json, resource: Resource, expanded: dict[str, str]) -> Json:
    """The object as it is shown: without its hidden parts, unless they are expanded."""
    unknown = [name for name in expanded if name not in resource.hidden]
    if unknown:
        text = f"Parsing OData Select and Expand failed: Could not find a property named '{unknown[0]}'."
        raise Refused(400, "BadRequest", text)
    hidden = set(resource.hidden) - set(expanded)
    view = copy.deepcopy({key: value for key, value in entry.items() if key not in hidden})
    if "settings" in resource.hidden:
        view["settingCount"] = len(entry.get("settings") or [])
        view["isAssigned"] = bool(entry.get("assignments"))
    for rule in view.get("scheduledActionsForRule") or []:
        if "scheduledActionConfigurations" not in expanded.get("scheduledActionsForRule", ""):
            rule.pop("scheduledActionConfigurations", None)
    return view
