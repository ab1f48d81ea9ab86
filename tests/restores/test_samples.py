"""Real policies have the same content after they were backed up, deleted and restored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backups.models import BackupSchedule, BackupSet
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from providers.graph.kinds import KINDS
from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import Restore
from providers.models import Access, ProviderConnection
from restores import bodies
from restores.bodies import Options
from restores.models import AccessState, Action, Assignments, ItemState
from tenancy.models import Tenant, User
from tests.support import samples
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.restores import RestoreScenario
from tests.support.sandbox import SIZES

pytestmark = [pytest.mark.django_db, samples.NEEDED]

EVERYTHING = Options(Assignments.BACKUP, AccessState.AS_BACKED_UP)
RESTORED = [key for key, kind in KINDS.items() if kind.restore is Restore.FULL]


def contents(backup_set: BackupSet, new_ids: dict[str, dict[str, str]]) -> dict[str, bytes]:
    """The comparable states of a backup set, by name, with the current ids of what they name."""
    items = backup_set.items.filter(kind__in=RESTORED).select_related("version")
    states = {}
    for item in items:
        assert item.version
        kind = KINDS[item.kind]
        state = bodies.comparable_state(kind, item.version.payload, EVERYTHING)
        state = bodies.replace_ids(kind, state, new_ids)
        states[f"{item.kind} {item.name}"] = canonical_json(state)
    return states


def test_every_sample_policy_is_restored(
    tenant: Tenant,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: Callable[[BackupSchedule], OperationRun],
    manager: User,
) -> None:
    connection = add_to_graph(tenant, sizes=dict.fromkeys((*SIZES, *KINDS), 0))
    connection.access = Access.READ_WRITE
    connection.save()
    samples.put_all(graph, tenant.external_id)
    schedule = BackupScheduleFactory(tenant=tenant, kinds=list(KINDS))
    first = back_up(schedule).backup_set
    scenario = RestoreScenario(tenant, graph, first, schedule, manager, back_up)
    selection = [item for item in scenario.items() if item.kind in RESTORED]
    for item in selection:
        scenario.delete(item)

    restore, run = scenario.restore(
        selection, assignments=EVERYTHING.assignments, access_state=EVERYTHING.access_state
    )
    second = back_up(schedule).backup_set

    items = list(restore.items.all())
    new_ids: dict[str, dict[str, str]] = {}
    for row in restore.items.exclude(result_id=""):
        new_ids.setdefault(row.kind, {})[row.graph_id] = row.result_id
    written = [item for item in items if item.action == Action.CREATE]
    blocked = [item for item in items if item.action == Action.BLOCKED]
    assert {item.state for item in written} <= {ItemState.VERIFIED}, [
        (item.name, item.outcome_message) for item in written if item.state != ItemState.VERIFIED
    ]
    assert len(written) > 20
    assert all(item.reason_code.startswith("restore_") for item in blocked), run.failures
    not_restored = {f"{item.kind} {item.name}" for item in blocked}
    before = contents(first, new_ids)
    assert len(before) == len(selection)
    assert contents(second, new_ids) == {
        name: state for name, state in before.items() if name not in not_restored
    }
