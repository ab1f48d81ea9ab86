"""The changes from one set of a schedule to the next."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone

from backups.changes import SetChanges, changes_of, previous_of
from backups.models import BackupItem, BackupSchedule, BackupSet, SetStatus
from tenancy.models import Tenant, User
from tenancy.roles import Role
from tests.support.factories import TenantFactory, create_member
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
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant)
    return schedule


def make_set(schedule: BackupSchedule, hours_ago: int, **states: str | None) -> BackupSet:
    """Make a set whose items have these states; None for an item that was not read."""
    at = timezone.now() - dt.timedelta(hours=hours_ago)
    backup_set = BackupSetFactory(schedule=schedule, started_at=at)
    for name, state in states.items():
        if state is None:
            BackupItemFactory(backup_set=backup_set, name=name, graph_id=name, missed=True)
            continue
        payload = {"id": name, "displayName": name, "state": state}
        BackupItemFactory(
            backup_set=backup_set,
            name=name,
            graph_id=name,
            version=PolicyVersionFactory(workspace=backup_set.workspace, payload=payload),
        )
    return finish(
        backup_set, SetStatus.INCOMPLETE if None in states.values() else SetStatus.COMPLETE
    )


def test_new_changed_and_deleted_objects_are_distinguished(schedule: BackupSchedule) -> None:
    before = make_set(schedule, 2, same="on", other="on", removed="on")
    now = make_set(schedule, 1, other="off", new="on")

    changes = changes_since_previous(now)

    assert changes
    assert changes.previous == before
    assert names(changes) == {
        "new": "created", "other": "changed", "removed": "removed", "same": "removed"
    }  # fmt: skip


def changes_since_previous(backup_set: BackupSet) -> SetChanges | None:
    previous = previous_of(backup_set)
    return changes_of(backup_set, previous) if previous else None


def names(changes: SetChanges) -> dict[str, str]:
    return {each.shown.name: each.change for each in changes.differences}


def test_a_first_set_has_no_changes(schedule: BackupSchedule) -> None:
    assert previous_of(make_set(schedule, 1, a="on")) is None


def test_an_incomplete_set_is_no_basis_for_a_comparison(schedule: BackupSchedule) -> None:
    first = make_set(schedule, 3, a="on")
    make_set(schedule, 2, a=None)

    assert previous_of(make_set(schedule, 1, a="off")) == first


def test_an_object_that_was_not_read_is_neither_changed_nor_deleted(
    schedule: BackupSchedule,
) -> None:
    make_set(schedule, 2, a="on", b="on")
    now = make_set(schedule, 1, a=None)

    changes = changes_since_previous(now)

    assert changes
    assert names(changes) == {"b": "removed"}


def test_a_kind_that_was_not_listed_has_no_deleted_objects(schedule: BackupSchedule) -> None:
    make_set(schedule, 2, a="on", b="on")
    now = BackupSetFactory(schedule=schedule, listed_kinds=[])
    finish(now, SetStatus.FAILED)

    changes = changes_since_previous(now)

    assert changes
    assert not changes.differences


def test_an_incompletely_read_object_is_not_called_changed(schedule: BackupSchedule) -> None:
    make_set(schedule, 2, a="on", b="on")
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

    changes = changes_since_previous(now)

    assert changes
    assert (changes.differences, changes.unchanged, changes.incomplete) == ([], 0, 2)
    assert not changes.is_complete


def test_a_kind_that_the_earlier_set_did_not_read_has_no_new_objects(
    schedule: BackupSchedule,
) -> None:
    finish(BackupSetFactory(schedule=schedule, kinds=["settings_catalog"]))
    now = BackupSetFactory(schedule=schedule, kinds=["settings_catalog", "conditional_access"])
    BackupItemFactory(backup_set=now, kind="conditional_access")
    finish(now)

    changes = changes_since_previous(now)

    assert changes
    assert (changes.differences, changes.uncompared) == ([], ["conditional_access"])


def test_a_kind_without_a_license_in_both_sets_is_no_difference(schedule: BackupSchedule) -> None:
    for _ in range(2):
        unlisted = {"conditional_access": "license_missing"}
        now = finish(BackupSetFactory(schedule=schedule, kinds=["compliance"], unlisted=unlisted))

    changes = changes_since_previous(now)

    assert changes
    assert changes.is_complete


def test_an_empty_failed_set_does_not_report_that_nothing_changed(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    make_set(schedule, 2, a="on")
    now = finish(BackupSetFactory(schedule=schedule, listed_kinds=[]), SetStatus.FAILED)

    text = client.get(f"{now.get_absolute_url()}changes/").content.decode()

    assert "No changes." not in text
    assert "Not compared, because one of the two sets" in text


def two_versions(schedule: BackupSchedule, **values: tuple[str, str]) -> BackupItem:
    """Make two items of one object that differ in these values; return the later one."""
    for hours_ago, index in ((2, 0), (1, 1)):
        at = timezone.now() - dt.timedelta(hours=hours_ago)
        backup_set = BackupSetFactory(schedule=schedule, started_at=at)
        payload = {"id": "a"} | {name: pair[index] for name, pair in values.items()}
        version = PolicyVersionFactory(workspace=backup_set.workspace, payload=payload)
        item = BackupItemFactory(backup_set=backup_set, graph_id="a", version=version)
        finish(backup_set)
    later: BackupItem = item
    return later


def test_a_redacted_difference_is_still_listed(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    item = two_versions(schedule, clientSecret=("hunter2-before", "hunter2-after"))

    text = client.get(f"{item.get_absolute_url()}changes/").content.decode()

    assert "<code>clientSecret</code>" in text
    assert "The values differ, but are masked or too long to show." in text
    assert "hunter2" not in text


def test_a_long_text_is_shown_from_its_first_difference(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    common = "Write-Output 'step' " * 300
    item = two_versions(schedule, script=(f"{common}first", f"{common}second"))

    text = client.get(f"{item.get_absolute_url()}changes/").content.decode()

    assert re.search(r"<del>… [^<]*first</del>", text)
    assert re.search(r"<ins>… [^<]*second</ins>", text)
    assert len(text) < 40_000


def test_an_incomplete_version_is_marked_and_is_no_basis_for_a_comparison(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    first = make_set(schedule, 2, policy="enabled")
    incomplete = BackupSetFactory(schedule=schedule)
    item = BackupItemFactory(
        backup_set=incomplete,
        graph_id="policy",
        complete=False,
        missing=["settings (25 of 118)"],
        reason_code="incomplete_capture",
    )
    finish(incomplete, SetStatus.INCOMPLETE)

    later = client.get(f"{item.get_absolute_url()}changes/").content.decode()
    earlier = first.items.get()
    back = client.get(f"{earlier.get_absolute_url()}changes/?with={item.pk}")

    assert "This version is incomplete (settings (25 of 118))." in later
    assert "Fields shown as removed may still exist." in later
    assert back.status_code == 404


def test_the_pages_show_changes_field_by_field(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    before = make_set(schedule, 2, policy="enabled", removed="on")
    now = make_set(schedule, 1, policy="disabled", new="on")
    item, earlier = now.items.get(name="policy"), before.items.get(name="policy")

    whole = client.get(f"{now.get_absolute_url()}changes/").content.decode()
    one = client.get(f"{item.get_absolute_url()}changes/?with={earlier.pk}").content.decode()

    assert "1 created, 1 changed, 1 removed, 0 unchanged" in whole
    assert "<code>state</code>" in one
    assert "<del>enabled</del>" in one
    assert "<ins>disabled</ins>" in one


@pytest.mark.parametrize("other_id", ["0", "9" * 30, "abc", "%00", "-1", "1e3"])
def test_an_unknown_set_or_version_to_compare_with_is_not_found(
    client: Client, reader: User, schedule: BackupSchedule, other_id: str
) -> None:
    open_session(client, reader)
    backup_set = make_set(schedule, 1, policy="enabled")
    item = backup_set.items.get()

    assert client.get(f"{item.get_absolute_url()}changes/?with={other_id}").status_code == 404
    assert client.get(f"{backup_set.get_absolute_url()}changes/?with={other_id}").status_code == 404


def test_any_two_sets_of_a_tenant_are_compared(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    first = make_set(schedule, 3, policy="enabled", removed="on")
    make_set(schedule, 2, policy="disabled")
    other_schedule = BackupScheduleFactory(tenant=schedule.tenant, name="Weekly")
    last = make_set(other_schedule, 1, policy="enabled", new="on")

    text = client.get(f"{last.get_absolute_url()}changes/?with={first.pk}").content.decode()
    back = client.get(f"{first.get_absolute_url()}changes/?with={last.pk}").content.decode()

    assert "1 created, 0 changed, 1 removed, 1 unchanged" in text
    assert "1 created, 0 changed, 1 removed, 1 unchanged" in back
    assert f'<option value="{first.pk}" selected>' in text
    assert "Weekly" in back


def test_sets_of_another_tenant_and_of_another_workspace_are_not_found(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    backup_set = make_set(schedule, 1, policy="enabled")
    sibling = BackupScheduleFactory(tenant=TenantFactory(workspace=schedule.workspace))
    others = [make_set(sibling, 1, policy="on"), make_set(BackupScheduleFactory(), 1, policy="on")]

    url = f"{backup_set.get_absolute_url()}changes/"
    bodies = {client.get(f"{url}?with={other.pk}").content for other in others}

    assert bodies == {client.get(f"{url}?with=0").content}


def test_a_selection_is_compared_by_the_objects_of_both_sets(
    client: Client, reader: User, schedule: BackupSchedule
) -> None:
    open_session(client, reader)
    whole = make_set(schedule, 2, policy="enabled", other="on")
    selection = BackupSetFactory(
        schedule=None, tenant=schedule.tenant, workspace=schedule.workspace,
        purpose="selection", name="Before the move",
        kinds=["conditional_access"], listed_kinds=["conditional_access"],
    )  # fmt: skip
    version = PolicyVersionFactory(workspace=schedule.workspace, payload={"state": "disabled"})
    BackupItemFactory(backup_set=selection, graph_id="policy", version=version)
    finish(selection)

    text = client.get(f"{selection.get_absolute_url()}changes/?with={whole.pk}").content.decode()

    assert "0 created, 1 changed, 0 removed" in text
    assert "compared by the objects that both sets contain" in text


@pytest.mark.parametrize(
    ("role", "links"), [(Role.READER, 0), (Role.OPERATOR, 0), (Role.MANAGER, 2)]
)
def test_a_manager_can_restore_each_of_two_compared_versions(
    client: Client, schedule: BackupSchedule, role: Role, links: int
) -> None:
    open_session(client, create_member(schedule.workspace, role))
    item = two_versions(schedule, state=("on", "off"))

    text = client.get(f"{item.get_absolute_url()}changes/").content.decode()

    assert text.count("Restore the version") == links
    if links:
        page = client.get(
            re.findall(r'href="([^"]*/restore/[^"]*)"', text)[0].replace("&amp;", "&")
        )
        assert page.content.decode().count(" checked") == 1
