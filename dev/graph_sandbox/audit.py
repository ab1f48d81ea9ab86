"""The audit logs of a tenant: the events that Intune and Entra ID write about its policies."""

from __future__ import annotations

import uuid

from dev.graph_sandbox.messages import Json
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence

KINDS = ("audit_events", "directory_audits")
#: Of each log.
MAX_EVENTS = 1000
_VERBS = {"POST": "Add", "PATCH": "Update", "PUT": "Update", "DELETE": "Delete"}


def log_of(kind: str) -> str:
    """Return the log that records the changes of a kind."""
    return "audit_events" if KIND[kind].is_in_intune else "directory_audits"


def record(
    log: dict[str, Json], kind: str, entry: Json, *, method: str, by: str, at: str, is_app: bool
) -> None:
    """Add an event about a change of a policy, and forget the oldest."""
    event_id = str(uuid.uuid4())
    describe = _audit_event if KIND[kind].is_in_intune else _directory_audit
    log[event_id] = {
        "id": event_id,
        "activityDateTime": at,
        **describe(kind, entry, _VERBS[method], by, is_app),
    }
    for oldest in list(log)[:-MAX_EVENTS]:
        del log[oldest]


def _audit_event(kind: str, entry: Json, verb: str, by: str, is_app: bool) -> Json:
    name = entry.get("displayName") or entry.get("name")
    return {
        "displayName": f"{verb} {kind}",
        "componentName": "DeviceConfiguration",
        "activityType": f"{verb} {kind}",
        "activityOperationType": {"Add": "Create", "Update": "Patch"}.get(verb, verb),
        "activityResult": "Success",
        "category": "DeviceConfiguration",
        "actor": {
            "auditActorType": "Application" if is_app else "ItPro",
            "userPrincipalName": None if is_app else by,
            "applicationDisplayName": by if is_app else "Microsoft Intune portal extension",
            "servicePrincipalName": None,
        },
        "resources": [{"displayName": name, "auditResourceType": kind, "resourceId": entry["id"]}],
    }


def _directory_audit(kind: str, entry: Json, verb: str, by: str, is_app: bool) -> Json:
    noun = in_sentence(KIND[kind].label)
    user = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, by)), "userPrincipalName": by}
    return {
        "activityDisplayName": f"{verb} {noun}",
        "category": "Policy",
        "loggedByService": "Conditional Access",
        "result": "success",
        "initiatedBy": {
            "app": {"displayName": by} if is_app else None,
            "user": None if is_app else user,
        },
        "targetResources": [
            {"id": entry["id"], "displayName": entry.get("displayName"), "type": "Policy"}
        ],
    }
