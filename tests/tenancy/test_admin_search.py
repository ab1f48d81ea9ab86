"""The administration finds rows by indexes, however many there are."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from backups.models import BackupItem, BackupSet, PolicyChange, PolicyVersion
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from notifications.models import Notification, NotificationDelivery, NotificationEvent
from operations.models import OperationRunTombstone
from restores.models import RestoreItem, RestoreRun
from tenancy import change_list
from tenancy.db import database_now
from tenancy.models import User
from tests.support.database import SharedRows
from tests.support.factories import TenantFactory, UserFactory, create_member
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    create_change,
)
from tests.support.factories.inventory import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)
from tests.support.factories.notifications import create_delivery
from tests.support.factories.restores import RestoreItemFactory
from tests.support.plans import nodes

pytestmark = pytest.mark.django_db

GUID = "0b6e0a52-4c0b-4a8f-9d3a-7f1f2a3b4c5d"
#: The models that are searched, and their indexes that no other one can replace.
INDEXES: dict[type[Model], set[str]] = {
    BackupItem: {"items_terms", "items_incomplete"},
    PolicyChange: {"changes_terms"},
    PolicyVersion: set(),
    BackupSet: {"sets_schedule"},
    OperationRunTombstone: set(),
    Policy: {"policies_terms", "policies_by_graph_id"},
    DirectoryGroup: {"directory_groups_terms", "groups_by_graph_id"},
    RoleDefinition: {"directory_role_definitions_terms", "roles_by_graph_id"},
    RestoreRun: set(),
    RestoreItem: {"restore_items_terms"},
    NotificationEvent: {"notification_events_terms", "notification_events_subject"},
    Notification: set(),
    NotificationDelivery: {"deliveries_of_member"},
    AccessLog: {"axes_accesslog_terms"},
    AccessFailureLog: {"axes_accessfailurelog_terms"},
}


@pytest.fixture(scope="module")
def rows(shared_rows: SharedRows) -> dict[str, Any]:
    """Rows that are searched, each with others that were created after it."""
    with shared_rows():
        tenant = TenantFactory(name="Fabrikam 4711")
        now = database_now()
        tombstone = OperationRunTombstone.objects.create(
            id=900_000_000,
            workspace=tenant.workspace,
            tenant=tenant,
            type="inventory.sync",
            outcome="succeeded",
            created_at=now,
            completed_at=now,
        )
        schedule = BackupScheduleFactory(tenant=tenant, name="Nightly 4711")
        item = BackupItemFactory(
            backup_set__schedule=schedule, name="Kiosk 4711", graph_id="Object_1"
        )
        missed = BackupItemFactory(backup_set=item.backup_set, name="Kiosk missed", missed=True)
        policy = PolicyFactory(tenant=tenant, graph_id=GUID, name="Kiosk 4711")
        group = DirectoryGroupFactory(tenant=tenant, name="Sales 4711")
        role = RoleDefinitionFactory(tenant=tenant, name="Auditor 4711")
        change = create_change(tenant)
        restored = RestoreItemFactory(restore__backup_set=item.backup_set, backup_item=item)
        delivery = create_delivery(
            tenant, create_member(tenant.workspace, username="otto.4711@example.com")
        )
        event = delivery.event
        sign_in = {"username": "Otto.4711", "ip_address": "2001:db8::1"}
        signed_in = AccessLog.objects.create(**sign_in)
        failed = AccessFailureLog.objects.create(**sign_in)
        other = TenantFactory(name="Contoso")
        for number in range(3):
            PolicyFactory(tenant=other)
            DirectoryGroupFactory(tenant=other)
            RoleDefinitionFactory(tenant=other)
            BackupItemFactory(backup_set__schedule__tenant=other)
            BackupSetFactory(schedule__tenant=other)
            RestoreItemFactory(restore__backup_set__schedule__tenant=other)
            create_delivery(other)
            AccessLog.objects.create(username=f"olga{number}", ip_address="192.0.2.1")
            AccessFailureLog.objects.create(username=f"olga{number}", ip_address="192.0.2.1")
        create_change(other)
        return {
            "user": UserFactory(is_staff=True, is_superuser=True),
            "item": item,
            "missed": missed,
            "policy": policy,
            "group": group,
            "role": role,
            "restore": restored.restore,
            "restored": restored,
            "event": event,
            "notification": event.notifications.get(),
            "delivery": delivery,
            "signed_in": signed_in,
            "failed": failed,
            "change": change,
            "set": item.backup_set,
            "version": item.version,
            "tombstone": tombstone,
        }


def listed(user: User, model: type[Model], text: str) -> set[Any]:
    request = RequestFactory().get("/", {"q": text})
    request.user = user
    page = admin.site._registry[model].get_changelist_instance(request)
    return {row.pk for row in page.result_list}


#: What is searched, the row that is found, and the text. Its fields are inserted.
SEARCHES = [
    (BackupItem, "item", "{item.pk}"),
    (BackupItem, "item", "Object_1"),
    (BackupItem, "item", "kiosk 47"),
    (BackupItem, "missed", "KIOSK MISSED"),
    (BackupItem, "missed", "{missed.graph_id}"),
    (BackupSet, "set", "#{set.pk}"),
    (BackupSet, "set", "nightly 4711"),
    (PolicyVersion, "version", "{version.pk}"),
    (PolicyVersion, "version", "{version.content_hash}"),
    (PolicyVersion, "version", "  {version.content_hash}  "),
    (PolicyChange, "change", "{change.backup_set_id}"),
    (OperationRunTombstone, "tombstone", "{tombstone.pk}"),
    (OperationRunTombstone, "tombstone", "abrikam"),
    (Policy, "policy", GUID),
    (Policy, "policy", GUID.upper()),
    (Policy, "policy", "kiosk 47"),
    (Policy, "policy", "abrikam"),
    (DirectoryGroup, "group", "sales 47"),
    (DirectoryGroup, "group", "{group.graph_id}"),
    (RoleDefinition, "role", "AUDITOR 4711"),
    (RestoreRun, "restore", "#{restore.pk}"),
    (RestoreRun, "restore", "abrikam"),
    (RestoreItem, "restored", "kiosk 47"),
    (RestoreItem, "restored", "Object_1"),
    (NotificationEvent, "event", "{event.subject_id}"),
    (NotificationEvent, "event", "fabrikam 4711 is late"),
    (Notification, "notification", "TTO.4711@"),
    (NotificationDelivery, "delivery", "TTO.4711@"),
    (AccessLog, "signed_in", "otto.47"),
    (AccessLog, "signed_in", "2001:DB8:0::1"),
    (AccessFailureLog, "failed", "OTTO"),
    (AccessFailureLog, "failed", "2001:db8::1"),
]


@pytest.mark.parametrize(("model", "name", "text"), SEARCHES)
def test_a_search_finds_old_rows(
    rows: dict[str, Any],
    model: type[Model],
    name: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = text.format(**rows)
    in_short_table = listed(rows["user"], model, text)
    # None of the newest three rows has the text.
    monkeypatch.setattr(change_list, "SEARCHED", 1)
    monkeypatch.setattr(change_list, "COMPARED", 1)
    monkeypatch.setattr(admin.site._registry[model], "list_per_page", 2)

    assert rows[name].pk in in_short_table
    assert rows[name].pk in listed(rows["user"], model, text)


def test_a_search_finds_the_items_of_a_set(rows: dict[str, Any]) -> None:
    items = {rows["item"].pk, rows["missed"].pk}

    assert items <= listed(rows["user"], BackupItem, f"{rows['set'].pk}")
    assert listed(rows["user"], BackupItem, "kiosk") == items


@pytest.mark.parametrize("model", INDEXES)
@pytest.mark.parametrize("text", ["nothing has this", "\u0663", "9" * 30, "%", "fe80::1%eth0"])
def test_a_text_that_no_row_has_finds_none(
    rows: dict[str, Any], model: type[Model], text: str
) -> None:
    assert listed(rows["user"], model, text) == set()


@pytest.mark.parametrize("model", INDEXES)
def test_indexes_have_all_parts_of_a_search(rows: dict[str, Any], model: type[Model]) -> None:
    """Without other kinds of plans, each part is read by an index, or the table is scanned."""
    model_admin: Any = admin.site._registry[model]
    conditions = model_admin.indexed_search("4711")
    sql, params = model._default_manager.filter(conditions).order_by().query.sql_with_params()
    with connection.cursor() as cursor:
        for kind in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()

    used = {node["Index Name"] for node in nodes(plan[0]["Plan"]) if "Index Name" in node}
    assert used >= INDEXES[model]
    assert not any(node["Node Type"] == "Seq Scan" for node in nodes(plan[0]["Plan"]))


def test_a_search_looks_up_the_tenants_once(
    rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_list, "SEARCHED", 1)
    monkeypatch.setattr(change_list, "COMPARED", 1)
    monkeypatch.setattr(admin.site._registry[BackupSet], "list_per_page", 1)

    with CaptureQueriesContext(connection) as captured:
        assert listed(rows["user"], BackupSet, "abrikam")

    look_ups = [query["sql"] for query in captured if 'FROM "tenants"' in query["sql"]]
    assert len(look_ups) == 1
