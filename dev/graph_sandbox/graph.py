"""The Graph API: lists, objects and actions, with the faults of the tenant."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from dev.graph_sandbox import audit, odata, writes
from dev.graph_sandbox.delta import Deltas
from dev.graph_sandbox.faults import Fault, Faults
from dev.graph_sandbox.messages import Cut, Json, Request, RequestRefused, Response
from dev.graph_sandbox.resources import Resource, find
from dev.graph_sandbox.sign_in import SignIn
from dev.graph_sandbox.store import Store
from providers.graph.policy_kind import Link

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Call:
    """A request to a collection; `segments` is the rest of its path."""

    request: Request
    tenant_id: str
    resource: Resource
    segments: list[str]

    @property
    def url(self) -> str:
        """The address without its query."""
        return f"{self.request.base_url}{self.request.path}"

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing."""
        return self.request.method == "GET"


#: Who makes the changes of the faults “edited” and “removed”.
ADMINISTRATORS = ("dana.reyes@example.com", "kim.olsen@example.com", "lee.brandt@example.com")
TakeFault = Callable[[str], Fault | None]


class Graph:
    """Responds under `/v1.0/` and `/beta/`."""

    def __init__(self, store: Store, faults: Faults, sign_in: SignIn) -> None:
        self._store = store
        self._faults = faults
        self._sign_in = sign_in
        self._deltas = Deltas()
        #: For slow replication: when each object changed, and its state before the change.
        self._earlier: dict[tuple[str, str], tuple[float, Json]] = {}

    def respond(
        self, request: Request, delay: Callable[[float], None] = time.sleep
    ) -> tuple[Response, str, str]:
        """Return the response, and the tenant and kind of the request.

        `delay` is called with the seconds by which a fault delays the response.
        """
        ids = _ids(request)
        tenant_id = kind = ""
        try:
            claims = self._sign_in.claims(request.headers.get("authorization", ""))
            resource, segments = _resource(request)
            tenant_id, kind = (claims or {}).get("tid", ""), resource.kind
            call = Call(request, tenant_id, resource, segments)
            response = self._respond_with_faults(call, self._permissions(claims), delay)
        except RequestRefused as refusal:
            response = refusal.response(ids)
        response.headers = {**ids, "x-ms-ags-diagnostic": '{"ServerInfo":{}}', **response.headers}
        return response, tenant_id, kind

    def check_token(self, request: Request) -> str:
        """Return the tenant of the token.

        Raises:
            RequestRefused: the token is not valid.
        """
        claims = self._sign_in.claims(request.headers.get("authorization", ""))
        self._permissions(claims)
        return str((claims or {}).get("tid", ""))

    def _permissions(self, claims: Json | None) -> list[str]:
        if claims is None or not self._sign_in.is_valid(claims):
            text = "Access token validation failure."
            raise RequestRefused(401, "InvalidAuthenticationToken", text)
        return list(claims["roles"])

    def _respond_with_faults(
        self, call: Call, permissions: list[str], delay: Callable[[float], None]
    ) -> Response:
        resource, method = call.resource, call.request.method

        def take(name: str) -> Fault | None:
            return self._faults.take(call.tenant_id, name, resource.kind, method)

        if fault := take("slow"):
            delay(float(fault.options.get("ms", 500)) / 1000)
        if faulty := fault_before(take, resource):
            return faulty
        # Microsoft allows only apps that may write to read encrypted values.
        is_read = call.is_read and not writes.is_plain_value(call.segments)
        required = resource.read if is_read else resource.write
        if not set(permissions) & set(required):
            _forbid(resource, " or ".join(required[:1]), required)
        if call.is_read and len(call.segments) == 1 and take("gone"):
            raise RequestRefused(404, "ResourceNotFound", "Resource does not exist.")
        if call.is_read and not call.segments and take("empty_page"):
            link = odata.next_link(call.url, call.request.query, 0)
            return Response(200, {"value": [], "@odata.nextLink": link})
        if "$skiptoken" in call.request.query and (fault := take("expired_page_token")):
            code = str(fault.options.get("code", "Directory_ExpiredPageToken"))
            text = "The specified page token value has expired and can no longer be included in your request."
            raise RequestRefused(400, code, str(fault.options.get("message", text)))
        with self._store.lock:
            response = self._process(call)
        return _fault_after(take, response, call)

    def _process(self, call: Call) -> Response:
        resource, method = call.resource, call.request.method
        if call.is_read:
            odata.check_query(call.request.query)
            objects = self._store.objects(call.tenant_id, resource.kind)
            if resource.kind == "groups" and call.segments == ["delta"]:
                return Response(200, self._changes(call, objects))
            if resource.kind == "directory_objects":
                objects = self._store.directory(call.tenant_id)
            if not call.segments:
                self._change_as_administrator(call, objects)
            return Response(200, _read(call, self._replicated(call, objects)))
        if not resource.writes:
            raise RequestRefused(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
        if fault := self._faults.take(call.tenant_id, "late_write", resource.kind, method):
            seconds = float(fault.options.get("ms", 200)) / 1000
            threading.Timer(seconds, self._write_late, [call]).start()
            raise RequestRefused(504, "GatewayTimeout", "")
        return self._write(call)

    def _changes(self, call: Call, objects: dict[str, Json]) -> Json:
        """Return what changed since a delta link; of changed groups, only a part."""
        if self._faults.take(call.tenant_id, "delta_expired", "groups", "GET"):
            raise RequestRefused(410, "syncStateNotFound", "Resync required.")
        return self._deltas.page(call.url, call.request.query, call.tenant_id, objects)

    def _write(self, call: Call) -> Response:
        objects = self._store.objects(call.tenant_id, call.resource.kind)

        def known(kind: str) -> set[str]:
            return self._store.known_ids(call.tenant_id, kind)

        before = copy.deepcopy(objects.get(call.segments[0])) if call.segments else None
        response = writes.apply(call.request, call.resource, objects, call.segments, known)
        if self._faults.take(call.tenant_id, "encrypt_values", call.resource.kind, "POST"):
            for entry in objects.values():
                writes.encrypt_values(entry)
        if before and call.segments[0] in objects:
            self._earlier[call.tenant_id, call.segments[0]] = (time.monotonic(), before)
        changed = before or (None if call.segments else response.body)
        if changed:
            method = "PATCH" if len(call.segments) == 2 else call.request.method
            self._record(call, changed, method, "Runledger", is_app=True)
        self._store.touch()
        return response

    def _write_late(self, call: Call) -> None:
        """Apply a write whose caller has already received a timeout."""
        with self._store.lock, contextlib.suppress(RequestRefused):
            self._write(call)

    def _change_as_administrator(self, call: Call, objects: dict[str, Json]) -> None:
        """Edit or remove an object, as the faults demand; the last object is never removed."""
        kind = call.resource.kind
        if kind in audit.KINDS:
            return
        if objects and (fault := self._faults.take(call.tenant_id, "edited", kind, "GET")):
            entry = list(objects.values())[fault.requests % len(objects)]
            entry["description"] = f"Changed in the admin center, change {fault.requests}"
            entry["lastModifiedDateTime"] = _timestamp(dt.datetime.now(dt.UTC))
            self._record(call, entry, "PATCH", ADMINISTRATORS[fault.requests % 3])
            self._store.touch()
        if len(objects) > 1 and self._faults.take(call.tenant_id, "removed", kind, "GET"):
            _, removed = objects.popitem()
            self._record(call, removed, "DELETE", ADMINISTRATORS[0])
            self._store.touch()

    def _record(
        self, call: Call, entry: Json, method: str, by: str, *, is_app: bool = False
    ) -> None:
        """Write an event about a changed policy to the audit log of the tenant."""
        log = self._store.objects(call.tenant_id, audit.log_of(call.resource.kind))
        at = _timestamp(dt.datetime.now(dt.UTC))
        audit.record(log, call.resource.kind, entry, method=method, by=by, at=at, is_app=is_app)

    def _replicated(self, call: Call, objects: dict[str, Json]) -> dict[str, Json]:
        """Return the objects as a replica has them that receives changes late."""
        fault = self._faults.take(call.tenant_id, "slow_replication", call.resource.kind, "GET")
        if fault is None:
            return objects
        seconds = float(fault.options.get("ms", 500)) / 1000
        replicated_until = _timestamp(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds))
        replica = {}
        for object_id, entry in objects.items():
            if str(entry.get("createdDateTime") or "") <= replicated_until:
                replica[object_id] = entry
                changed_at, before = self._earlier.get((call.tenant_id, object_id), (0.0, entry))
                if time.monotonic() - changed_at < seconds:
                    replica[object_id] = before
        return replica


def _timestamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f0Z}"


def _ids(request: Request) -> dict[str, str]:
    client_id = request.headers.get("client-request-id", "")
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S}",
        "request-id": str(uuid.uuid4()),
        "client-request-id": client_id if _GUID.fullmatch(client_id) else str(uuid.uuid4()),
    }


def _resource(request: Request) -> tuple[Resource, list[str]]:
    match = find(request.path)
    if match is None:
        segment = request.path.rsplit("/", 1)[-1]
        raise RequestRefused(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
    resource, segments = match
    return resource, [unquote(segment) for segment in segments]


def _forbid(resource: Resource, permission: str, scopes: Any = ()) -> None:
    if resource.path.startswith("/device"):
        names = ", ".join(scopes or [permission])
        text = f"Application is not authorized to perform this operation. Application must have one of the following scopes: {names} - Operation ID (for customer support): {uuid.uuid4()} - Activity ID: {uuid.uuid4()} - Url: https://fef.msub05.manage.microsoft.com/StatelessDeviceConfigurationFEService/deviceManagement"
        nested = {"_version": 3, "Message": text, "CustomApiErrorPhrase": "", "RetryAfter": None,
                  "ErrorSourceService": "", "HttpHeaders": "{}"}  # fmt: skip
        raise RequestRefused(403, "Forbidden", json.dumps(nested))
    if resource.path.startswith("/identity"):
        raise RequestRefused(403, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token.")  # fmt: skip
    text = "Insufficient privileges to complete the operation."
    raise RequestRefused(403, "Authorization_RequestDenied", text)


def fault_before(take: TakeFault, resource: Resource) -> Response | None:
    """Apply the faults that come before the request is processed."""
    if fault := take("throttle"):
        without_header = resource.service.is_paced or fault.options.get("none")
        headers = {} if without_header else _retry_after(fault)
        raise RequestRefused(429, "TooManyRequests", "Please retry again later.", **headers)
    if fault := take("forbid"):
        _forbid(resource, str(fault.options.get("permission") or resource.read[0]))
    if fault := take("forbid_intune"):
        inner = json.dumps({"ErrorCode": "Forbidden", "Message": "Forbidden"})
        raise RequestRefused(
            401, "Unauthorized", json.dumps({"ErrorCode": "Forbidden", "Message": inner})
        )
    if take("license"):
        raise RequestRefused(400, "BadRequest", "Request not applicable to target tenant.")
    if fault := take("server_error"):
        status, wait = int(fault.options.get("status", 503)), fault.options.get("retry_after")
        headers = {} if wait is None else {"Retry_After": str(wait)}
        raise RequestRefused(status, "UnknownError", "", **headers)
    if fault := take("redirect"):
        url = str(fault.options.get("url", "https://graph.example.net/"))
        return Response(302, None, {"Location": url})
    if take("drop"):
        return Response(200, cut=Cut.NOT_SENT)
    return None


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = float(fault.options.get("retry_after", 1))
    if not fault.options.get("http_date"):
        return {"Retry_After": f"{seconds:g}"}
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return {"Retry_After": format_datetime(at, usegmt=True)}


def _fault_after(take: TakeFault, response: Response, call: Call) -> Response:
    """Apply the faults that damage a good response."""
    if not call.is_read:
        return _fault_after_write(take, response)
    body = response.body or {}
    if "value" in body:
        _damage_page(take, body, call)
    _shorten_settings(take, body, call)
    if take("no_assignments"):
        for entry in [body, *body.get("value", [])]:
            entry.pop("assignments", None)
    if take("drop_mid_body"):
        response.cut = Cut.HALF
    if take("empty"):
        response.raw = b""
    if take("truncated_page"):
        complete = response.encoded()
        response.raw = complete[: len(complete) // 2]
    if take("garbage"):
        response.raw = b"<!DOCTYPE html><html><body>Service Unavailable</body></html>"
    return response


def _fault_after_write(take: TakeFault, response: Response) -> Response:
    if take("drop_after_write"):
        response.cut = Cut.NOT_SENT
    if take("empty_after_write"):
        response.raw = b""
    if take("error_after_write"):
        raise RequestRefused(504, "GatewayTimeout", "")
    return response


def _damage_page(take: TakeFault, body: Json, call: Call) -> None:
    if fault := take("foreign_next_link"):
        body["@odata.nextLink"] = str(fault.options.get("url", "http://169.254.169.254/latest/"))
    if take("loop_next_link"):
        body["@odata.nextLink"] = odata.next_link(call.url, call.request.query, 0)


def _shorten_settings(take: TakeFault, body: Json, call: Call) -> None:
    """Return half of the settings of a policy, whether they are a page or expanded."""
    key = "value" if call.request.path.endswith("/settings") else "settings"
    if isinstance(body.get(key), list) and take("short_settings"):
        body[key] = body[key][: max(1, len(body[key]) // 2)]
        body.pop("@odata.nextLink", None)


def _read(call: Call, objects: dict[str, Json]) -> Json:
    resource, query = call.resource, call.request.query
    base_url = f"{call.request.base_url}/{resource.version}"
    context = f"{base_url}/$metadata#{resource.path.strip('/')}"
    is_singleton = bool(resource.policy_kind and resource.policy_kind.is_singleton)
    if not call.segments and is_singleton:
        return {"@odata.context": f"{context}/$entity", **next(iter(objects.values()))}
    if not call.segments:
        return {"@odata.context": context, **_list(call, objects)}
    entry = _find_object(objects, resource, call.segments[0])
    if len(call.segments) == 1:
        expanded = odata.expansions(query.get("$expand", ""))
        view = odata.select(_view(entry, resource, expanded), query.get("$select", ""))
        return {"@odata.context": f"{context}/$entity", **view}
    if link := writes.link_of(resource, entry, call.segments[1:]):
        return _read_link(call, link, entry)
    if writes.is_plain_value(call.segments):
        return {"@odata.context": context, "value": writes.plain_value(entry, call.segments[1])}
    name = call.segments[1]
    if len(call.segments) != 2 or name not in resource.hidden:
        text = f"Resource not found for the segment '{call.segments[-1]}'."
        raise RequestRefused(400, "BadRequest", text)
    entries = copy.deepcopy(entry.get(name) or [])
    page = odata.page(entries, query, call.url, default=25, most=1000)
    return {"@odata.context": context, **page}


def _read_link(call: Call, link: Link, entry: Json) -> Json:
    """Return what an object links to; a link that is not set does not exist."""
    linked = [{"id": each} for each in entry.get(link.name) or []]
    if link.is_list:
        return odata.page(linked, call.request.query, call.url, default=100, most=999)
    if not linked:
        raise RequestRefused(404, "ResourceNotFound", "Resource not found.")
    return linked[0]


def _list(call: Call, objects: dict[str, Json]) -> Json:
    resource, query = call.resource, call.request.query
    expanded = odata.expansions(query.get("$expand", ""))
    if resource.kind == "app_protection" and not resource.type_only and expanded:
        raise RequestRefused(400, "BadRequest", "Could not find a property named 'assignments'.")
    condition, names = query.get("$filter", ""), query.get("$select", "")
    entries = [entry for entry in objects.values() if _has_type(entry, resource)]
    entries = [entry for entry in entries if odata.matches(entry, condition)]
    page = odata.page(
        entries, query, call.url, default=resource.service.page, most=resource.service.max_page
    )
    views = [_view(entry, resource, expanded) for entry in page["value"]]
    for view in views:
        for name in resource.service.only_in_detail:
            view.pop(name, None)
    page["value"] = [odata.select(view, names) for view in views]
    return page


def _has_type(entry: Json, resource: Resource) -> bool:
    return not resource.type_only or entry.get("@odata.type") == resource.type_only


def _find_object(objects: dict[str, Json], resource: Resource, object_id: str) -> Json:
    entry = objects.get(object_id)
    if entry is None and resource.kind == "applications":
        entry = next((each for each in objects.values() if each.get("appId") == object_id), None)
    if entry is None or not _has_type(entry, resource):
        text = f"Resource '{object_id}' does not exist or one of its queried reference-property objects are not present."
        raise RequestRefused(404, "ResourceNotFound", text)
    return entry


def _view(entry: Json, resource: Resource, expanded: dict[str, str]) -> Json:
    """Return the object without its hidden properties, except those that are expanded."""
    unknown = [name for name in expanded if name not in resource.hidden]
    if unknown:
        text = f"Parsing OData Select and Expand failed: Could not find a property named '{unknown[0]}'."
        raise RequestRefused(400, "BadRequest", text)
    hidden = set(resource.hidden) - set(expanded)
    if resource.policy_kind:
        hidden |= {link.name for link in resource.policy_kind.links(entry)}
    view = copy.deepcopy({key: value for key, value in entry.items() if key not in hidden})
    for setting in view.get("omaSettings") or []:
        setting.pop(writes.PLAIN_VALUE, None)
    if "settings" in resource.hidden:
        view["settingCount"] = len(entry.get("settings") or [])
        view["isAssigned"] = bool(entry.get("assignments"))
    for rule in view.get("scheduledActionsForRule") or []:
        if "scheduledActionConfigurations" not in expanded.get("scheduledActionsForRule", ""):
            rule.pop("scheduledActionConfigurations", None)
    return view
