"""Sets share the items of unchanged objects: what they contain, keep and never lose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups import retention
from backups.changes import changes_of, previous_of
from backups.models import (
    BackupItem,
    BackupSchedule,
    BackupSet,
    PolicyVersion,
    SetItem,
    SharedItems,
)
from dev.graph_sandbox.control import SandboxControl
from inventory.models import Policy
from operations.database_roles import create_or_update_role, grant_application_privileges
from operations.models import OperationRun
from tenancy.db import call_function
from tenancy.models import Tenant, User
from tests.support.database import SharedRows, without_guards
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    delete_expired,
    finish,
    share_items,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]
KIND = "conditional_access"


def items_of(backup_set: BackupSet) -> set[int]:
    return set(backup_set.items.values_list("pk", flat=True))


@pytest.fixture
def nights(tenant: Tenant) -> Callable[[], BackupSet]:
    """Create a set of one schedule that keeps nothing old, such as that of a night."""
    schedule = BackupScheduleFactory(tenant=tenant, retention_keep_sets=1, retention_keep_days=1)
    return lambda: BackupSetFactory(schedule=schedule)


# --- what a backup shares -------------------------------------------------------------------------


def test_a_night_without_changes_adds_no_item(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    first, second, third = (back_up(schedule).backup_set for _ in range(3))

    assert BackupItem.objects.filter(tenant=schedule.tenant).count() == first.item_count == 7
    assert items_of(first) == items_of(second) == items_of(third)
    assert third.is_complete
    assert (third.item_count, third.own_items.count()) == (7, 0)
    # The objects of two kinds are read each night; their items are shared as well.
    read = third.shared_items.filter(is_read=True)
    assert sum(len(row.item_ids) for row in read) == 2
    assert previous_of(third) == second
    changes = changes_of(third, second)
    assert (changes.differences, changes.unchanged, changes.is_complete) == ([], 7, True)


def test_only_a_changed_object_has_a_new_item(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    first = back_up(schedule).backup_set
    listed = graph.objects(schedule.tenant.external_id, KIND)[0]
    graph.put_object(schedule.tenant.external_id, KIND, {**listed, "state": "disabled"})

    run = back_up(schedule)

    second = run.backup_set
    (changed,) = second.own_items.all()
    assert (changed.graph_id, changed.complete) == (listed["id"], True)
    assert len(items_of(first) & items_of(second)) == 6
    assert (run.counts.unchanged, run.counts.updated, second.item_count) == (6, 1, 7)
    assert second.changed_count == 1
    (recorded,) = second.changes.all()
    assert recorded.item_id == changed.pk
    assert recorded.before_id in items_of(first)


def test_a_full_read_of_unchanged_objects_shares_their_items_and_counts_as_read(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    first = back_up(schedule).backup_set
    past = timezone.now() - dt.timedelta(days=8)
    with without_guards("backup_items", "backup_sets"):
        BackupItem.objects.update(captured_at=past)
        BackupSet.objects.filter(pk=first.pk).update(started_at=past)

    second, third = (back_up(schedule).backup_set for _ in range(2))

    def count(backup_set: BackupSet, **values: bool) -> int:
        rows = backup_set.shared_items.filter(**values)
        return sum(len(row.item_ids) for row in rows)

    assert [count(each, is_read=True) for each in (second, third)] == [7, 2]
    assert [count(each, is_read=False) for each in (second, third)] == [0, 5]
    assert items_of(first) == items_of(third)
    assert third.items.reused_in(third).count() == 5


def test_an_object_with_an_earlier_content_gets_a_new_item(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    """The newest item of an object says what it is like now."""
    listed = graph.objects(schedule.tenant.external_id, KIND)[0]
    first = back_up(schedule).backup_set
    graph.put_object(schedule.tenant.external_id, KIND, {**listed, "state": "disabled"})
    back_up(schedule)
    graph.put_object(schedule.tenant.external_id, KIND, listed)

    third = back_up(schedule).backup_set

    (again,) = third.own_items.all()
    assert again.version_id == first.items.get(graph_id=listed["id"]).version_id


# --- what the database rejects --------------------------------------------------------------------


@pytest.fixture(scope="module")
def attacked(shared_rows: SharedRows) -> dict[str, int]:
    """A finished set with an item, one that shares it, a set that is built, and items of others."""
    with shared_rows():
        schedule = BackupScheduleFactory()
        first = BackupSetFactory(schedule=schedule)
        item, second = (BackupItemFactory(backup_set=first) for _ in range(2))
        finish(first)
        later = BackupSetFactory(schedule=schedule)
        shared = share_items(later, item)
        finish(later)
        building = BackupSetFactory(schedule=schedule)
        own = BackupItemFactory(backup_set=building, graph_id=second.graph_id)
        share_items(building, item)
        other = BackupSetFactory(schedule=schedule)
        again = BackupItemFactory(backup_set=other, graph_id=item.graph_id)
        incomplete = BackupItemFactory(backup_set=other, missed=True)
        other_kind = BackupItemFactory(backup_set=other, kind="compliance")
        foreign = BackupItemFactory(
            backup_set__schedule__tenant=TenantFactory(workspace=schedule.workspace)
        )
        free = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule))
    return {
        "tenant": schedule.tenant_id,
        "workspace": schedule.workspace_id,
        "finished": later.pk,
        "building": building.pk,
        "shared": shared.pk,
        "item": item.pk,
        "object": item.graph_id,
        "own": own.pk,
        "second": second.pk,
        "again": again.pk,
        "incomplete": incomplete.pk,
        "other_kind": other_kind.pk,
        "foreign": foreign.pk,
        "free": free.pk,
        "version": item.version_id,
    }


SHARE = (
    "INSERT INTO backup_shared_items (workspace_id, tenant_id, set_id, kind, is_read, item_ids)"
    " VALUES ({{workspace}}, {{tenant}}, {set}, 'conditional_access', false, {items})"
)
ADD = (
    "INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, complete,"
    " reason_code) VALUES ({{workspace}}, {{tenant}}, {set}, 'conditional_access', {id}, 'A', false, 'a')"
)
ATTACKS = {
    "share with a finished set": (SHARE.format(set="{finished}", items="'{{{free}}}'"), "finished"),
    "share an item of another tenant": ("{foreign}", "can be shared"),
    "share an item of another kind": ("{other_kind}", "can be shared"),
    "share an incomplete item": ("{incomplete}", "can be shared"),
    "share an item that does not exist": ("999999999", "can be shared"),
    "share an item twice in a row": ("{free},{free}", "can be shared"),
    "share an item twice": ("{item}", "already"),
    "share two items of an object": ("{free},{again}", "already"),
    "share an item of an object that the set has": ("{second}", "already"),
    "share its own item": ("{own}", "already"),
    "share nothing": ("", "shared_items_not_empty"),
    "share an unknown item": ("NULL", "can be shared"),
    "share items in two dimensions": ("{{{free}}}", "shared_items_not_empty"),
    "add an item of an object that the set shares": (
        ADD.format(set="{building}", id="'{object}'"),
        "already",
    ),
    "add an item without a set": (ADD.format(set="NULL", id="'new'"), "finished"),
    "move an item to another set": (
        "UPDATE backup_items SET set_id = {building} WHERE id = {incomplete}",
        "another object",
    ),
    "rename the object of an item": (
        "UPDATE backup_items SET graph_id = '{object}' WHERE id = {incomplete}",
        "another object",
    ),
    "take the set from an item": (
        "SET runledger.pruning = 'on'; UPDATE backup_items SET set_id = NULL WHERE id = {item}",
        "complete item",
    ),
    "rewrite a shared item": (
        "UPDATE backup_items SET name = 'Other' WHERE id = {item}",
        "complete item",
    ),
    "delete a shared item": ("DELETE FROM backup_items WHERE id = {item}", "permission denied"),
    "change what is shared": (
        "UPDATE backup_shared_items SET item_ids = '{{{free}}}'",
        "permission denied",
    ),
    "stop sharing": ("DELETE FROM backup_shared_items", "permission denied"),
    "empty the table": ("TRUNCATE backup_shared_items", "permission denied"),
    "write to the view": ("DELETE FROM backup_set_items", "permission denied|cannot delete"),
    "finish a set with another count": (
        "UPDATE backup_sets SET status = 'failed', ended_at = now() WHERE id = {building}",
        "number of items",
    ),
}


@pytest.fixture
def as_application() -> None:
    """Write with the privileges of the role that web, worker and beat have."""
    create_or_update_role("app_sharing", "secret")
    grant_application_privileges("app_sharing")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE app_sharing")


@pytest.mark.usefixtures("as_application")
@pytest.mark.parametrize("name", ATTACKS)
def test_the_application_cannot(attacked: dict[str, int], name: str) -> None:
    statement, message = ATTACKS[name]
    if " " not in statement:
        statement = SHARE.format(set="{building}", items="'{{" + statement + "}}'")

    with pytest.raises(DatabaseError, match=message), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement.format(**attacked))


@pytest.mark.usefixtures("as_application")
def test_the_application_can_share_an_item(attacked: dict[str, int]) -> None:
    """The control of the attacks."""
    with connection.cursor() as cursor:
        statement = SHARE.format(set="{building}", items="'{{{free}}}'")
        cursor.execute(statement.format(**attacked))

    building = BackupSet.objects.get(pk=attacked["building"])
    # It replaces no complete item.
    read = [["0" * 64], ["A"], [None]]
    assert call_function("backup_items_share", building.pk, [attacked["own"]], *read) == []
    assert items_of(building) == {attacked["own"], attacked["item"], attacked["free"]}


def test_not_even_retention_deletes_an_item_that_a_set_shares(attacked: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL runledger.pruning = 'on'")
    with pytest.raises(DatabaseError, match="shares one of the items"):
        BackupItem.objects.filter(pk=attacked["item"]).delete()


@pytest.mark.parametrize("table", ["backup_shared_items", "backup_items"])
def test_not_even_the_owner_changes_what_sets_share(attacked: dict[str, int], table: str) -> None:
    for statement in (
        f"UPDATE {table} SET kind = 'compliance'",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


# --- deletion -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_an_item_is_deleted_with_the_last_set_that_contains_it(
    nights: Callable[[], BackupSet], order: tuple[int, ...]
) -> None:
    backup_sets = [nights() for _ in range(3)]
    kept = BackupItemFactory(backup_set=backup_sets[0])
    only = BackupItemFactory(backup_set=backup_sets[0])
    finish(backup_sets[0])
    share_items(backup_sets[1], kept)
    finish(backup_sets[1])
    share_items(backup_sets[2], kept)
    changed = BackupItemFactory(backup_set=backup_sets[2], graph_id=only.graph_id)
    finish(backup_sets[2])
    finish(nights())  # The last complete set of the tenant.

    left = [backup_sets[index] for index in order]
    for backup_set in list(left):
        delete_expired(backup_set)
        left.remove(backup_set)

        expected = {kept.pk} if left else set()
        expected |= {only.pk} if backup_sets[0] in left else set()
        expected |= {changed.pk} if backup_sets[2] in left else set()
        items = BackupItem.objects.filter(tenant=kept.tenant)
        assert set(items.values_list("pk", flat=True)) == expected
        for each in left:
            assert len(items_of(each)) == each.item_count
    retention.delete_unreferenced_versions(kept.workspace_id)
    assert not PolicyVersion.objects.filter(workspace=kept.workspace).exists()
    assert not SharedItems.objects.filter(tenant=kept.tenant).exists()


def test_an_item_stays_for_a_set_of_another_schedule(nights: Callable[[], BackupSet]) -> None:
    """Neither neighbor of the deleted set shares it."""
    before, first, after = (nights() for _ in range(3))
    item = BackupItemFactory(backup_set=first)
    other = BackupSetFactory(schedule=BackupScheduleFactory(tenant=first.tenant))
    share_items(other, item)
    for backup_set in (before, first, after, other):
        finish(backup_set)

    delete_expired(first)

    item.refresh_from_db()
    assert item.backup_set is None
    assert items_of(other) == {item.pk}
    retention.delete_unreferenced_versions(item.workspace_id)
    assert PolicyVersion.objects.get(workspace=item.workspace) == item.version


def test_a_set_that_is_built_and_shares_items_is_not_deleted(
    nights: Callable[[], BackupSet],
) -> None:
    first, building = nights(), nights()
    item = BackupItemFactory(backup_set=first)
    finish(first)
    share_items(building, item)

    assert not retention.delete_set(building)
    assert items_of(building) == {item.pk}


# --- pages ----------------------------------------------------------------------------------------


@pytest.fixture
def shared_pair(nights: Callable[[], BackupSet]) -> tuple[BackupItem, BackupSet, BackupSet]:
    """An item, the set that it was read for, and one that shares it."""
    first, second = nights(), nights()
    item = BackupItemFactory(backup_set=first)
    finish(first)
    share_items(second, item)
    finish(second)
    return item, first, second


def test_each_set_has_pages_of_an_item_that_it_shares(
    client: Client, manager: User, shared_pair: tuple[BackupItem, BackupSet, BackupSet]
) -> None:
    item, first, second = shared_pair
    open_session(client, manager)
    slug = item.workspace.slug

    def page(name: str, backup_set: BackupSet) -> str:
        response = client.get(reverse(name, args=[slug, backup_set.pk, item.pk]))
        assert response.status_code == 200
        return response.content.decode()

    assert "First read for" not in page("backup_item_detail", first)
    assert "First captured" not in page("backup_item_detail", first)
    assert f"set #{first.pk}</a>" in page("backup_item_detail", second)
    assert "First captured" in page("backup_item_detail", second)
    delete_expired(first)

    assert "a deleted set" in page("backup_item_detail", second)
    assert page("backup_item_changes", second)
    download = client.get(reverse("backup_item_download", args=[slug, second.pk, item.pk]))
    assert f"set {second.pk}.json" in download["Content-Disposition"]
    assert client.get(item.url_in(first)).status_code == 404
    item.refresh_from_db()
    assert item.get_absolute_url() == item.url_in(second)
    assert item.name in client.get(second.get_absolute_url()).content.decode()
    archive: Any = client.get(f"{second.get_absolute_url()}download/")
    assert b"PK" in b"".join(archive)


def test_objects_that_differ_link_to_the_set_that_contains_them(
    client: Client,
    manager: User,
    nights: Callable[[], BackupSet],
    shared_pair: tuple[BackupItem, BackupSet, BackupSet],
) -> None:
    item, first, second = shared_pair
    third = nights()
    finish(third)
    delete_expired(first)
    open_session(client, manager)

    def changes(backup_set: BackupSet, since: BackupSet) -> str:
        response = client.get(f"{backup_set.get_absolute_url()}changes/", {"with": since.pk})
        assert response.status_code == 200
        return response.content.decode()

    assert item.url_in(second) in changes(third, since=second)  # It was removed.
    assert item.url_in(second) in changes(second, since=third)  # It was created.


def test_the_versions_of_an_object_link_to_a_set_that_contains_them(
    client: Client,
    manager: User,
    nights: Callable[[], BackupSet],
    shared_pair: tuple[BackupItem, BackupSet, BackupSet],
) -> None:
    item, first, second = shared_pair
    third = nights()
    changed = BackupItemFactory(backup_set=third, graph_id=item.graph_id)
    finish(third)
    delete_expired(first)
    open_session(client, manager)

    detail = client.get(changed.get_absolute_url()).content.decode()
    changes = client.get(f"{changed.get_absolute_url()}changes/").content.decode()

    assert item.url_in(second) in detail
    assert item.url_in(second) in changes


def test_a_policy_is_in_each_set_that_shares_its_item(
    client: Client, manager: User, shared_pair: tuple[BackupItem, BackupSet, BackupSet]
) -> None:
    item, first, second = shared_pair
    policy = Policy.objects.create(
        workspace=item.workspace,
        tenant=item.tenant,
        kind=item.kind,
        graph_id=item.graph_id,
        name=item.name,
    )
    open_session(client, manager)

    html = client.get(policy.get_absolute_url()).content.decode()

    assert [html.count(item.url_in(each)) for each in (first, second)] == [1, 1]
    assert html.count("Unchanged, first read") == 1


def test_the_sets_of_an_item_are_read_by_an_index(
    shared_pair: tuple[BackupItem, BackupSet, BackupSet],
) -> None:
    item, first, second = shared_pair
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plans = (
        SetItem.objects.of([item]).explain(),
        second.items.all().explain(),
        second.items.filter(memberships__kind=KIND).explain(),
    )

    for plan in plans:
        assert "Seq Scan" not in plan
    assert set(SetItem.objects.of([item]).values_list("backup_set_id", flat=True)) == {
        first.pk,
        second.pk,
    }
