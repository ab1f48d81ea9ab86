"""The evidence of a campaign as values: the rows of the ledger, the objects of the Graph sandbox, and
what was requested and broken. The judge reads nothing else."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dev.chaos.cluster import CANCEL, LEASE
from dev.chaos.faults import Record
from dev.chaos.load import Change
from dev.chaos.restores import KIND, Case
from dev.graph_sandbox.control import SandboxControl
from operations.models import (
    OperationRun,
    OperationRunEvent,
    OperationRunItem,
    OperationRunTombstone,
)
from restores.models import RestoreItem

_EFFECT = re.compile(r"(export [0-9]+ effect [0-9]+) by run ([0-9]+)")


@dataclass(frozen=True)
class Run:
    """A row of `operation_runs`."""

    id: int
    workspace_id: int
    tenant_id: int | None
    type: str
    status: str
    outcome: str
    run_identity_hash: str
    initiator_name: str
    summary_counts: dict[str, Any]
    failure_summary: list[dict[str, Any]]
    context: dict[str, Any]
    created_at: dt.datetime
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    heartbeat_at: dt.datetime | None
    cancel_requested_at: dt.datetime | None
    acknowledged_at: dt.datetime | None
    details_removed_at: dt.datetime | None
    retry_of_id: int | None

    def count(self, name: str) -> int:
        return int(self.summary_counts.get(name) or 0)

    @property
    def codes(self) -> set[str]:
        """The codes of its failures."""
        return {entry["code"] for entry in self.failure_summary}

    @property
    def was_active(self) -> bool:
        """Whether it was ever queued: a run that is recorded as blocked was not."""
        return not (self.outcome == "blocked" and self.started_at is None)

    @property
    def scope(self) -> tuple[int, int | None, str]:
        """Runs with the same value exclude each other."""
        return self.workspace_id, self.tenant_id, self.run_identity_hash


@dataclass(frozen=True)
class Event:
    run_id: int
    sequence: int
    at: dt.datetime
    kind: str


@dataclass(frozen=True)
class Item:
    run_id: int
    key: str
    outcome: str
    reason_code: str
    at: dt.datetime


@dataclass(frozen=True)
class Effect:
    """An object that a run of an export created in the Graph sandbox."""

    key: str
    run_id: int
    at: dt.datetime


@dataclass(frozen=True)
class Policy:
    """A policy in the Graph sandbox."""

    tenant: str
    id: str
    name: str
    description: str


@dataclass(frozen=True)
class Restored:
    """An item of a restore."""

    restore_id: int
    graph_id: str
    name: str
    state: str
    action: str
    result_id: str
    has_intent: bool


@dataclass(frozen=True)
class CaseFacts:
    """What a case did with its policy."""

    name: str
    tenant: str
    graph_id: str
    is_deleted: bool
    was_changed: bool


@dataclass
class Evidence:
    """Everything that the judge knows.

    `last_fault_at` is the end of the last fault, `ended_at` that of the programs.
    """

    last_fault_at: dt.datetime
    ended_at: dt.datetime
    runs: dict[int, Run] = field(default_factory=dict)
    events: Mapping[int, Sequence[Event]] = field(default_factory=dict)
    items: Mapping[int, Sequence[Item]] = field(default_factory=dict)
    tombstones: dict[int, dt.datetime] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    cases: list[CaseFacts] = field(default_factory=list)
    created_ids: set[int] = field(default_factory=set)
    past_ids: set[int] = field(default_factory=set)
    taken_ids: set[int] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    faults: list[Record] = field(default_factory=list)
    tenants: dict[int, str] = field(default_factory=dict)
    #: Identities of which two active runs were seen during the campaign.
    seen_twice: set[str] = field(default_factory=set)
    #: The ends of workers that no fault explains.
    unexpected_ends: list[str] = field(default_factory=list)
    request_errors: list[str] = field(default_factory=list)
    failpoints: int = 0
    lease: float = LEASE
    within: float = 2 * LEASE + 15
    cancel: float = CANCEL


Row = TypeVar("Row", Event, Item)


def load_tables(evidence: Evidence) -> None:
    """Read the tables of the ledger and of restores."""
    names = list(Run.__dataclass_fields__)
    evidence.runs = {row["id"]: Run(**row) for row in OperationRun.objects.values(*names)}
    events = OperationRunEvent.objects.order_by("run_id", "sequence")
    evidence.events = _by_run(
        Event(**row) for row in events.values("run_id", "sequence", "at", "kind")
    )
    items = OperationRunItem.objects.order_by("id")
    evidence.items = _by_run(
        Item(**row) for row in items.values("run_id", "key", "outcome", "reason_code", "at")
    )
    evidence.tombstones = dict(OperationRunTombstone.objects.values_list("id", "completed_at"))
    evidence.restored = [
        Restored(
            restore_id=item.restore_id,
            graph_id=item.graph_id,
            name=item.name,
            state=item.state,
            action=item.action,
            result_id=item.result_id,
            has_intent=item.intent_at is not None,
        )
        for item in RestoreItem.objects.order_by("id")
    ]


def _by_run(rows: Iterable[Row]) -> Mapping[int, Sequence[Row]]:
    by_run: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_run[row.run_id].append(row)
    return by_run


def load_objects(evidence: Evidence, graph: SandboxControl, tenants: Iterable[str]) -> None:
    """Read the objects that exports and restores wrote to the Graph sandbox."""
    for tenant in tenants:
        for entry in graph.objects(tenant, "named_location"):
            if match := _EFFECT.fullmatch(str(entry.get("displayName"))):
                at = dt.datetime.fromisoformat(entry["createdDateTime"])
                evidence.effects.append(Effect(match[1], int(match[2]), at))
        evidence.policies += [
            Policy(tenant, entry["id"], entry["displayName"], entry.get("description") or "")
            for entry in graph.objects(tenant, KIND)
        ]


def facts_of(cases: Iterable[Case]) -> list[CaseFacts]:
    """Return what each case did with its policy."""
    return [
        CaseFacts(
            name=case.name,
            tenant=str(case.tenant.external_id),
            graph_id=case.graph_id,
            is_deleted=case.is_deleted,
            was_changed=case.was_changed,
        )
        for case in cases
    ]
