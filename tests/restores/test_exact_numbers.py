"""Numbers of a policy have the same digits everywhere: on pages, in files, and back in the tenant."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backups.models import BackupItem, PolicyChange, PolicyVersion
from providers.graph import http
from redaction import exact_json
from restores.models import Action, RestoreStatus
from tests.support.restores import RestoreScenario, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

RATIO = "0.12345678901234567890123450"
NUMBERS = {"ratio": Decimal(RATIO), "limit": Decimal("1E+16"), "least": Decimal("-0.0"), "count": 7}
DOUBLES = {"half": 0.5, "whole": 3.0, "large": 1e16, "small": 1e-7, "zero": -0.0, "count": 7}


def change_numbers(scenario: RestoreScenario, numbers: dict[str, Any]) -> BackupItem:
    item = scenario.items("device_configuration")[0]
    scenario.change(item, **numbers)
    return scenario.back_up_again(item)


def test_numbers_keep_their_digits_until_they_are_written_back(
    scenario: RestoreScenario, client: Client
) -> None:
    item = change_numbers(scenario, NUMBERS)
    assert only_item(scenario.preview([item])).action == Action.UNCHANGED

    open_session(client, scenario.operator)
    ids = {"slug": scenario.tenant.workspace.slug, "set_id": item.backup_set_id}
    page = client.get(reverse("backup_item_detail", kwargs=ids | {"item_id": item.pk}))
    assert RATIO in page.content.decode()
    download = client.get(reverse("backup_set_download", kwargs=ids)).getvalue()
    with zipfile.ZipFile(io.BytesIO(download)) as archive:
        assert any(RATIO.encode() in archive.read(name) for name in archive.namelist())

    scenario.change(item, ratio=Decimal(RATIO[:-2] + "60"))
    later = scenario.back_up_again(item)
    changes = reverse(
        "backup_item_changes", kwargs=ids | {"set_id": later.backup_set_id, "item_id": later.pk}
    )
    assert RATIO in client.get(changes).content.decode()
    assert item.backup_set
    scenario.backup_set = item.backup_set
    restore, run = scenario.restore([item])
    assert (run.outcome, restore.status) == ("succeeded", RestoreStatus.ENDED), run.failures

    restored = scenario.objects(item.kind)[item.graph_id]
    assert exact_json.dumps(restored["ratio"]) == RATIO
    assert {name: restored[name] for name in NUMBERS} == NUMBERS


def test_no_policy_counts_as_changed_in_the_first_backup_after_the_upgrade(
    scenario: RestoreScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions before this one read doubles, and stored 1e16 as an integer and -0.0 as 0.0."""

    def read_double(text: str) -> float:
        number = float(text)
        assert math.isfinite(number)
        return int(Decimal(repr(number))) if "e+" in repr(number) else number or 0.0

    with monkeypatch.context() as earlier_version:
        earlier_version.setattr(http, "number_parser", lambda: read_double)
        before = change_numbers(scenario, DOUBLES)
    assert before.version
    versions = PolicyVersion.objects.count()

    after = scenario.back_up_again(before)

    assert after.version_id == before.version_id
    assert PolicyVersion.objects.count() == versions
    assert not PolicyChange.objects.filter(backup_set=scenario.backup_set).exists()


def test_numbers_that_are_too_large_are_an_unreadable_answer(
    scenario: RestoreScenario, back_up: Callable[..., Any]
) -> None:
    item = scenario.items("device_configuration")[0]
    scenario.change(item, limit=Decimal("1E+100000"))

    run = back_up(scenario.schedule)

    assert run.outcome == "partially_succeeded"
    assert "numbers that are too large" in json.dumps(run.failure_summary)
