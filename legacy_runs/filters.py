"""The filters of the lists of history; each is a parameter of its address."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from legacy_runs.models import TABLES
from operations.states import RunOutcome, RunStatus
from tenancy.models import Tenant, Workspace

TENANTS_IN_MENU = 200
FIRST_DAY, LAST_DAY = dt.date(2000, 1, 1), dt.date(2199, 12, 31)
_OF_RUNS: dict[str, str] = {
    str(value): str(label)
    for value, label in (*RunStatus.choices, *RunOutcome.choices)
    if value not in (RunStatus.COMPLETED, RunOutcome.PENDING)
}
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass
class HistoryFilters:
    """What an address asks for. A value that means nothing is left out; a bad date is told."""

    workspace: Workspace
    is_timeline: bool = False
    kind: str = ""
    status: str = ""
    tenant: Tenant | None = None
    since: str = ""
    until: str = ""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, given: Mapping[str, Any], workspace: Workspace, *, is_timeline: bool
    ) -> HistoryFilters:
        made = cls(workspace, is_timeline)
        made.kind = _one_of(given.get("kind"), made.kinds)
        made.status = _one_of(given.get("status"), made.statuses)
        tenant_id = str(given.get("tenant") or "")
        if _ID.fullmatch(tenant_id):
            made.tenant = workspace.tenants.filter(pk=int(tenant_id)).first()
        for name in ("since", "until"):
            made._read_day(name, str(given.get(name) or ""))
        return made

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds to choose from, with their labels."""
        runs = {"run": "Run"} if self.is_timeline else {}
        return runs | {kind: model.LABEL for kind, model in TABLES.items()}

    @property
    def statuses(self) -> dict[str, str]:
        """The statuses of the older system and, where there are runs, how those stand or ended."""
        older = {
            status: label for model in TABLES.values() for status, label in model.STATUSES.items()
        }
        return older | (_OF_RUNS if self.is_timeline else {})

    @property
    def tenants(self) -> list[Tenant]:
        """The tenants of the menu; the timeline is of one tenant and has none."""
        return [] if self.is_timeline else list(self.workspace.tenants.all()[:TENANTS_IN_MENU])

    @property
    def is_set(self) -> bool:
        return bool(self.kind or self.status or self.tenant or self.since or self.until)

    def apply(self, rows: Any) -> Any:
        """The rows that match."""
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.status:
            rows = rows.filter(Q(status=self.status) | Q(outcome=self.status))
        if self.tenant:
            rows = rows.filter(tenant=self.tenant)
        if self.since:
            rows = rows.filter(created_at__gte=self._midnight(self.since))
        if self.until:
            rows = rows.filter(created_at__lt=self._midnight(self.until) + dt.timedelta(days=1))
        return rows

    def _read_day(self, name: str, text: str) -> None:
        if not text:
            return
        try:
            day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None or not FIRST_DAY <= day <= LAST_DAY:
            self.errors.append("A date looks like 2024-03-08, and lies between 2000 and 2199.")
            return
        setattr(self, name, text)

    def _midnight(self, day: str) -> dt.datetime:
        zone = zoneinfo.ZoneInfo(self.workspace.timezone)
        return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), tzinfo=zone)


def _one_of(given: Any, values: Mapping[str, str]) -> str:
    return given if isinstance(given, str) and given in values else ""
