"""What changed from one set of a schedule to the next."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone

from backups.changes import changes_of
from backups.models import BackupItem, BackupSchedule, BackupSet, SetStatus
from tenancy.models import Tenant, User
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule(tenant: Tenant) -> BackupSchedule:
    made: BackupSchedule = BackupScheduleFactory(tenant=tenant)
    return made


def a_set(schedule: BackupSchedule, hours_ago: int, **states: str | None) -> BackupSet:
    """A set whose items have these states; None for one that was not read."""
    at = timezone.now() - dt.timedelta(hours=hours_ago)
    made = BackupSetFactory(schedule=schedule, started_at=at)
    for name, state in states.items():
        if state is None:
            BackupItemFactory(backup_set=made, name=name, graph_id=name, missed=True)
            continue
        payload = {"id": name, "displayName": name, "state": state}
        BackupItemFactory(
            backup_set=made,
            name=name,
            graph_id=name,
            version=PolicyVersionFactory(workspace=made.workspace, payload=payload),
        )
    return finish(made, SetStatus.INCOMPLETE if None in states.values() else SetStatus.COMPLETE)


def test_what_is_new_changed_and_gone_is_told_apart(schedule: BackupSchedule) -> None:
    before = a_set(schedule, 2, same="on", other="on", left="on")
    now = a_set(schedule, 1, other="off", came="on")

    found = changes_of(now)

    assert found
    assert found.previous == before
    assert [item.name for item in found.added] == ["came"]
    assert [(b.name, n.name) for b, n in found.changed] == [("other", "other")]
    assert {item.name for item in found.deleted} == {"left", "same"}


def test_a_first_set_has_nothing_to_be_compared_with(schedule: BackupSchedule) -> None:
    assert changes_of(a_set(schedule, 1, a="on")) is None


def test_an_incomplete_set_is_not_compared_with(schedule: BackupSchedule) -> None:
    first = a_set(schedule, 3, a="on")
    a_set(schedule, 2, a=None)

    found = changes_of(a_set(schedule, 1, a="off"))

    assert found
    assert found.previous == first


def test_what_was_not_read_is_neither_changed_nor_gone(schedule: BackupSchedule) -> None:
    a_set(schedule, 2, a="on", b="on")
    now = a_set(schedule, 1, a=None)

    found = changes_of(now)

    assert found
    assert not found.changed
    assert [item.name for item in found.deleted] == ["b"]


def test_a_kind_that_was_not_listed_has_nothing_gone(schedule: BackupSchedule) -> None:
    a_set(schedule, 2, a="on", b="on")
    now = BackupSetFactory(schedule=schedule, listed_kinds=[])
    finish(now, SetStatus.FAILED)

    found = changes_of(now)

    assert found
    assert found.is_empty


def test_what_was_read_in_part_is_not_called_changed(schedule: BackupSchedule) -> None:
    a_set(schedule, 2, a="on", b="on")
    now = BackupSetFactory(schedule=schedule)
    for name in "ab":
        BackupItemFactory(
            backup_set=now,
            graph_id=name,
            complete=False,
            missing=["settings (25 of 118)"],
            reason_code="incomplete_capture",
        )
    finish(now, SetStatus.INCOMPLETE)

    found = changes_of(now)

    assert found
    assert (found.changed, found.unchanged, found.incomplete) == ([], 0, 2)
    assert not found.is_complete


def test_a_kind_that_the_earlier_set_did_not_read_has_nothing_new(
    schedule: BackupSchedule,
) -> None:
    finish(BackupSetFactory(schedule=schedule, kinds=["settings_catalog"]))
    now = BackupSetFactory(schedule=schedule, kinds=["settings_catalog", "conditional_access"])
    BackupItemFactory(backup_set=now, kind="conditional_access")
    finish(now)

    found = changes_of(now)

    assert found
    assert (found.added, found.uncompared) == ([], ["conditional_access"])


def test_a_kind_that_both_had_no_license_for_is_no_difference(schedule: BackupSchedule) -> None:
    for _ in range(2):
        unlisted = {"conditional_access": "license_missing"}
        now = finish(BackupSetFactory(schedule=schedule, kinds=["compliance"], unlisted=unlisted))

    found = changes_of(now)

    assert found
    assert found.is_complete


def test_a_set_that_read_nothing_does_not_say_that_nothing_changed(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    a_set(schedule, 2, a="on")
    now = finish(BackupSetFactory(schedule=schedule, listed_kinds=[]), SetStatus.FAILED)

    text = client.get(f"{now.get_absolute_url()}changes/").content.decode()

    assert "No changes." not in text
    assert "Not compared, because one of the two sets" in text


def two_versions(schedule: BackupSchedule, **values: tuple[str, str]) -> BackupItem:
    """The later of two items of one object, which differ in these values."""
    for hours_ago, turn in ((2, 0), (1, 1)):
        at = timezone.now() - dt.timedelta(hours=hours_ago)
        made = BackupSetFactory(schedule=schedule, started_at=at)
        payload = {"id": "a"} | {name: pair[turn] for name, pair in values.items()}
        version = PolicyVersionFactory(workspace=made.workspace, payload=payload)
        item = BackupItemFactory(backup_set=made, graph_id="a", version=version)
        finish(made)
    found: BackupItem = item
    return found


def test_a_difference_that_may_not_be_shown_is_told_all_the_same(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    item = two_versions(schedule, clientSecret=("hunter2-before", "hunter2-after"))

    text = client.get(f"{item.get_absolute_url()}changes/").content.decode()

    assert "<code>clientSecret</code>" in text
    assert "Different in what is masked or too long to be shown." in text
    assert "hunter2" not in text


def test_a_long_text_is_shown_where_it_begins_to_differ(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    long = "Write-Output 'step' " * 300
    item = two_versions(schedule, script=(f"{long}first", f"{long}second"))

    text = client.get(f"{item.get_absolute_url()}changes/").content.decode()

    assert re.search(r"<del>… [^<]*first</del>", text)
    assert re.search(r"<ins>… [^<]*second</ins>", text)
    assert len(text) < 40_000


def test_a_version_that_was_read_in_part_says_so_and_is_not_compared_with(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    first = a_set(schedule, 2, policy="enabled")
    part = BackupSetFactory(schedule=schedule)
    item = BackupItemFactory(
        backup_set=part,
        graph_id="policy",
        complete=False,
        missing=["settings (25 of 118)"],
        reason_code="incomplete_capture",
    )
    finish(part, SetStatus.INCOMPLETE)

    later = client.get(f"{item.get_absolute_url()}changes/").content.decode()
    earlier = first.items.get()
    back = client.get(f"{earlier.get_absolute_url()}changes/?with={item.pk}").content.decode()

    assert "what looks removed may still be there: settings (25 of 118)" in later
    assert "No earlier version" in back


def test_the_pages_show_it_field_by_field(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    before = a_set(schedule, 2, policy="enabled", left="on")
    now = a_set(schedule, 1, policy="disabled", came="on")
    item, earlier = now.items.get(name="policy"), before.items.get(name="policy")

    whole = client.get(f"{now.get_absolute_url()}changes/").content.decode()
    one = client.get(f"{item.get_absolute_url()}changes/?with={earlier.pk}").content.decode()

    assert "1 new, 1 changed, 1 gone, 0 unchanged" in whole
    assert "<code>state</code>" in one
    assert "<del>enabled</del>" in one
    assert "<ins>disabled</ins>" in one


@pytest.mark.parametrize("wanted", ["0", "9" * 30, "abc", "%00", ""])
def test_a_version_that_is_not_there_is_no_version(
    client: Client, reader: User, schedule: BackupSchedule, wanted: str
) -> None:
    open_session(client, reader)
    item = a_set(schedule, 1, policy="enabled").items.get()

    answer = client.get(f"{item.get_absolute_url()}changes/?with={wanted}")

    assert answer.status_code == 200
    assert b"No earlier version" in answer.content
