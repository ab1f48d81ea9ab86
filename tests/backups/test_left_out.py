"""A backup says which listed objects it leaves out, and when two lists of a kind contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.test import Client

from backups.models import BackupSchedule
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from providers.graph.errors import IncompleteListing
from providers.graph.kinds import KIND
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory

pytestmark = pytest.mark.django_db


def test_objects_of_unknown_types_are_counted(
    tenant: Tenant,
    graph: SandboxControl,
    add_to_graph: Callable[..., ProviderConnection],
    back_up: Callable[[BackupSchedule], OperationRun],
    operator: User,
) -> None:
    add_to_graph(tenant, sizes={"app_protection": 4})
    for number in range(2):
        graph.put_object(
            tenant.external_id,
            "app_protection",
            {"@odata.type": "#microsoft.graph.defaultManagedAppProtection", "displayName": number},
        )
    schedule = BackupScheduleFactory(tenant=tenant, kinds=["app_protection"])

    run = back_up(schedule)

    assert run.outcome == "succeeded", run.failures
    left_out = run.backup_set.left_out
    # The app configuration among the seeded objects belongs to another kind.
    assert left_out == {"app_protection": {"defaultManagedAppProtection": 2}}
    notes = [event.message for event in run.events.all()]
    assert any("2 defaultManagedAppProtection" in note for note in notes)
    client = Client()
    client.force_login(operator)
    page = client.get(run.backup_set.get_absolute_url()).content.decode()
    assert "2 defaultManagedAppProtection" in page


class TwoLists:
    """A client whose lists have other objects for each version of Graph."""

    secrets = None
    reads_encrypted_values = False

    def __init__(self, *, beta: list[str], stable: list[str]) -> None:
        self._beta, self._stable = beta, stable

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        raise AssertionError(path)

    def list(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        for each in self._beta if path.startswith("/beta/") else self._stable:
            yield {"id": each}


@pytest.mark.parametrize(
    ("beta", "stable", "is_complete"),
    [(["a"], ["a"], True), (["a", "b"], ["a"], True), (["a"], ["a", "b"], False)],
    ids=["equal", "preview features", "beta lacks one"],
)
def test_conditional_access_is_incomplete_if_another_list_has_more(
    beta: list[str], stable: list[str], is_complete: bool
) -> None:
    listed = KIND["conditional_access"].list_objects(TwoLists(beta=beta, stable=stable))

    if is_complete:
        assert len(list(listed)) == len(beta)
    else:
        with pytest.raises(IncompleteListing):
            list(listed)
