"""Real exports: backed up, deleted, restored and backed up again, they have the same content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from backups.models import BackupSchedule, BackupSet
from operations.models import OperationRun
from providers.graph.kinds import KINDS, Restore
from providers.models import Access, ProviderConnection
from providers.sandbox.control import SandboxControl
from restores.models import Action, ItemState
from tenancy.models import Tenant, User
from tests import samples
from tests.backups.conftest import SIZES
from tests.backups.factories import BackupScheduleFactory
from tests.restores.conftest import Place

pytestmark = [pytest.mark.django_db, samples.NEEDED]

RESTORED = [key for key, kind in KINDS.items() if kind.restore is Restore.FULL]


def contents(backup_set: BackupSet) -> Counter[str]:
    """The contents of what may be restored, without what is null."""
    found = backup_set.items.filter(kind__in=RESTORED).select_related("version")
    told = Counter[str]()
    for item in found:
        assert item.version
        content = KINDS[item.kind].content(item.version.payload)
        for name in ("assignments", "state", "conditions"):
            content.pop(name, None)
        told[str({name: value for name, value in content.items() if value is not None})] += 1
    return told


def test_every_real_policy_comes_back_as_it_was(
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
    place = Place(tenant, graph, first, schedule, manager, back_up)
    wanted = [item for item in place.items() if item.kind in RESTORED]
    for item in wanted:
        place.delete(item)

    restore, run = place.restore(wanted, access_state="as_backed_up")
    second = back_up(schedule).backup_set

    items = list(restore.items.all())
    written = [item for item in items if item.action == Action.CREATE]
    blocked = [item for item in items if item.action == Action.BLOCKED]
    assert {item.state for item in written} <= {ItemState.VERIFIED}, [
        (item.name, item.outcome_message) for item in written if item.state != ItemState.VERIFIED
    ]
    assert len(written) > 20
    assert all(item.reason_code.startswith("restore_") for item in blocked), run.failures
    gone = {item.name for item in blocked}
    before = contents(first)
    assert sum((before - contents(second)).values()) <= len(gone)
    assert contents(second) - before == Counter()
