"""The policies of the fleet: the objects of the Graph sandbox, and how some of them changed.

Some tenants have an edited policy. Of the others, some have a new or a removed one, or both.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from backups.versions import Content
from dev.demo.fleet import KINDS, SIZES
from dev.graph_sandbox.seed.tenant import seed_tenant
from inventory.kinds import POLICY_KINDS
from inventory.rows import policy_row
from providers.graph.kinds import KIND
from providers.graph.policy_kind import last_modified
from tenancy.models import Tenant, Workspace

Json = dict[str, Any]
#: Of this many tenants, one has an edited policy.
TENANTS_PER_EDIT = 3
#: Of this many others, one has a new policy, one a removed one, and one had a policy replaced.
TENANTS_PER_REPLACEMENT = 6


_REPLACEABLE = ("device_configuration", "compliance", "conditional_access")


@dataclass(frozen=True)
class FleetObject:
    """One policy of a tenant as listed by Graph; `edited` is its state since `edited_at`.

    It existed before the history if it has no `created_at`, and it still exists without a
    `removed_at`.
    """

    kind: str
    entry: Json
    edited: Json | None = None
    edited_at: dt.datetime | None = None
    created_at: dt.datetime | None = None
    removed_at: dt.datetime | None = None

    @property
    def graph_id(self) -> str:
        return str(self.entry["id"])

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.graph_id}"

    @property
    def name(self) -> str:
        return KIND[self.kind].name_of(self.entry)

    def is_edited_by(self, at: dt.datetime) -> bool:
        """Whether the edit came before this time."""
        return self.edited_at is not None and self.edited_at <= at

    def is_removed_by(self, at: dt.datetime) -> bool:
        """Whether the removal came before this time."""
        return self.removed_at is not None and self.removed_at <= at

    def exists_at(self, at: dt.datetime) -> bool:
        """Whether Graph listed the object at this time."""
        is_created = self.created_at is None or self.created_at <= at
        return is_created and not self.is_removed_by(at)


def objects_of(tenant: Tenant, chance: random.Random, cut: dt.datetime) -> list[FleetObject]:
    """Return the objects that the Graph sandbox seeds for the tenant, in the order of a backup."""
    seeded = seed_tenant(str(tenant.external_id), tenant.name, str(tenant.external_id), SIZES)
    objects = [
        FleetObject(kind, entry)
        for kind in POLICY_KINDS
        if kind in (*KINDS, "assignment_filters", "scope_tags")
        for entry in seeded[kind]
    ]
    at = cut - dt.timedelta(minutes=chance.randrange(20 * 60, 9 * 24 * 60))
    if chance.randrange(TENANTS_PER_EDIT) == 0:
        place = chance.randrange(sum(SIZES[kind] for kind in KINDS))
        objects[place] = _edit(objects[place], at)
        return objects
    # Policies refer to named locations, which therefore stay.
    places = [number for number, each in enumerate(objects) if each.kind in _REPLACEABLE]
    created, removed = chance.sample(places, 2)
    replacement = chance.randrange(TENANTS_PER_REPLACEMENT)
    if replacement in (0, 2):
        objects[created] = _create(objects[created], at)
    if replacement in (1, 2):
        objects[removed] = replace(objects[removed], removed_at=at)
    return objects


def _create(policy: FleetObject, at: dt.datetime) -> FleetObject:
    entry = copy.deepcopy(policy.entry)
    _set_modified(entry, at)
    if "createdDateTime" in entry:
        entry["createdDateTime"] = _graph_time(at)
    return replace(policy, entry=entry, created_at=at)


def _edit(policy: FleetObject, at: dt.datetime) -> FleetObject:
    edited = copy.deepcopy(policy.entry)
    if policy.kind == "conditional_access":
        is_on = edited["state"] == "enabled"
        edited["state"] = "enabledForReportingButNotEnforced" if is_on else "enabled"
    else:
        edited[KIND[policy.kind].name_field] += " (reviewed)"
    _set_modified(edited, at)
    return replace(policy, edited=edited, edited_at=at)


def _set_modified(entry: Json, at: dt.datetime) -> None:
    modified = "lastModifiedDateTime" if "lastModifiedDateTime" in entry else "modifiedDateTime"
    entry[modified] = _graph_time(at)


def _graph_time(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


_VERSIONS = """
INSERT INTO policy_versions
    (workspace_id, content_hash, normalized_hash, payload, size, created_at)
SELECT %s, content_hash, normalized_hash, payload, size, created_at
FROM jsonb_to_recordset(%s::jsonb) AS content(
    content_hash varchar, normalized_hash varchar, payload jsonb, size int,
    created_at timestamptz)
ON CONFLICT (workspace_id, content_hash) DO NOTHING
"""
_OBJECTS = """
CREATE TEMP TABLE fleet_objects ON COMMIT DROP AS
SELECT listed.*, version.id AS version_id
FROM jsonb_to_recordset(%s::jsonb) AS listed(
    tenant_id bigint, position int, kind varchar, graph_id varchar, name varchar,
    content_hash varchar, valid_from timestamptz, valid_until timestamptz,
    last_modified_at timestamptz)
LEFT JOIN policy_versions version
    ON version.workspace_id = %s AND version.content_hash = listed.content_hash;
CREATE INDEX ON fleet_objects (tenant_id, kind);
ANALYZE fleet_objects
"""


def store_objects(
    workspace: Workspace, objects: dict[int, list[FleetObject]], start: dt.datetime
) -> None:
    """Store every content as a version, and list the objects in the temporary table `fleet_objects`.

    Each row is one content of an object, and the time in which a backup reads it.
    """
    contents: dict[str, Json] = {}
    rows: list[Json] = []
    for tenant_id, listed in objects.items():
        for position, policy in enumerate(listed):
            if policy.kind in KINDS:
                rows += _rows(tenant_id, position, policy, start, contents)
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, [workspace.pk, json.dumps(list(contents.values()))])
        cursor.execute(_OBJECTS, [json.dumps(rows), workspace.pk])


def _rows(
    tenant_id: int,
    position: int,
    policy: FleetObject,
    start: dt.datetime,
    contents: dict[str, Json],
) -> list[Json]:
    begin = policy.created_at.isoformat() if policy.created_at else "-infinity"
    end = policy.removed_at.isoformat() if policy.removed_at else "infinity"
    edit = policy.edited_at.isoformat() if policy.edited_at else end
    states = [(policy.entry, begin, edit)]
    if policy.edited:
        states.append((policy.edited, edit, end))
    rows = []
    for entry, valid_from, valid_until in states:
        content = Content.of(KIND[policy.kind], entry)
        modified_at = last_modified(entry)
        contents[content.content_hash] = {
            "content_hash": content.content_hash,
            "normalized_hash": content.normalized_hash,
            "payload": content.payload,
            "size": content.size,
            "created_at": start.isoformat() if valid_from == "-infinity" else valid_from,
        }
        rows.append(
            {
                "tenant_id": tenant_id,
                "position": position,
                "kind": policy.kind,
                "graph_id": policy.graph_id,
                "name": KIND[policy.kind].name_of(entry),
                "content_hash": content.content_hash,
                "valid_from": valid_from,
                "valid_until": valid_until,
                "last_modified_at": modified_at.isoformat() if modified_at else None,
            }
        )
    return rows


_POLICIES = """
INSERT INTO policies (workspace_id, tenant_id, kind, graph_id, name, description, object_type,
                      platform, state, is_assigned, last_modified_at, first_seen_at, changed_at,
                      missing_since)
SELECT %s, tenant_id, kind, graph_id, name, description, object_type, platform, state,
       is_assigned, last_modified_at, first_seen_at, changed_at, missing_since
FROM jsonb_to_recordset(%s::jsonb) AS policy(
    tenant_id bigint, kind varchar, graph_id varchar, name varchar, description varchar,
    object_type varchar, platform varchar, state varchar, is_assigned boolean,
    last_modified_at timestamptz, first_seen_at timestamptz, changed_at timestamptz,
    missing_since timestamptz)
RETURNING tenant_id, kind || '/' || graph_id, id
"""


@dataclass
class Seen:
    """An object of the inventory: when a sync first listed it, when it changed, when it was missing."""

    policy: FleetObject
    entry: Json
    first_seen_at: dt.datetime
    changed_at: dt.datetime
    missing_since: dt.datetime | None = None


def store_inventory(
    workspace: Workspace, seen: dict[tuple[int, str], Seen]
) -> dict[tuple[int, str], int]:
    """Store the inventory as the syncs left it; return the ids by tenant and key."""
    rows = [
        {
            **policy_row(KIND[each.policy.kind], each.entry),
            "tenant_id": tenant_id,
            "kind": each.policy.kind,
            "first_seen_at": each.first_seen_at.isoformat(),
            "changed_at": each.changed_at.isoformat(),
            "missing_since": each.missing_since.isoformat() if each.missing_since else None,
        }
        for (tenant_id, _), each in seen.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_POLICIES, [workspace.pk, json.dumps(rows)])
        return {(tenant_id, key): policy_id for tenant_id, key, policy_id in cursor.fetchall()}
