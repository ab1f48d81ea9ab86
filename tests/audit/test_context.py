"""The context of a change: one message, no other statement, and never that of another client."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from audit.context import audited_request, changes_audited_table, current_context
from audit.models import AuditEntry
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory, create_member
from tests.support.pooler import StartPooler
from tests.support.sessions import open_session
from tests.support.stack import ROOT, database_url


def newest() -> AuditEntry:
    return AuditEntry.objects.order_by("-pk")[0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('UPDATE "tenants" SET "name" = %s', True),
        ("update tenants set name = 'x'", True),
        ('INSERT INTO "memberships" ("role") VALUES (%s)', True),
        ("WITH changed AS (UPDATE users SET email = '') SELECT 1", True),
        ("\n DELETE FROM backup_sets", True),
        ("SELECT backup_sets_delete(%s)", True),
        ('SELECT * FROM "tenants"', False),
        ("SELECT count(*) FROM tenants", False),
        ("SELECT clock_timestamp()", False),
        ("SELECT audit_record_event(%s, %s)", False),
        ('UPDATE "operation_runs" SET "heartbeat_at" = now()', False),
        ('DELETE FROM "django_session"', False),
    ],
)
def test_only_writes_to_audited_tables_carry_the_context(sql: str, expected: bool) -> None:
    assert changes_audited_table(sql) is expected


@pytest.mark.django_db
def test_the_context_costs_no_statement(tenant: Tenant, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        Tenant.objects.filter(pk=tenant.pk).update(name="100% new")

    assert newest().changes == {"name": ["Fabrikam", "100% new"]}


@pytest.mark.django_db
def test_results_and_row_counts_are_those_of_the_statement(tenant: Tenant) -> None:
    assert Tenant.objects.filter(workspace=tenant.workspace).update(name="Same") == 1
    assert Tenant.objects.filter(pk=0).update(name="Same") == 0
    created = Tenant.objects.bulk_create(
        [TenantFactory.build(workspace=tenant.workspace) for _ in range(3)]
    )
    assert [Tenant.objects.get(pk=row.pk).name for row in created] == [row.name for row in created]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants SET name = '%' WHERE id = 0")
        assert cursor.rowcount == 0
        cursor.execute("UPDATE tenants SET name = name RETURNING id")
        assert len(cursor.fetchall()) == 4


@pytest.mark.django_db
def test_a_statement_after_a_rolled_back_savepoint_has_its_context(tenant: Tenant) -> None:
    with transaction.atomic():
        with transaction.atomic():
            Tenant.objects.update(name="Undone")
            transaction.set_rollback(True)
        Tenant.objects.update(name="Kept")

    assert newest().changes == {"name": ["Fabrikam", "Kept"]}
    assert newest().origin.startswith("program ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_atomic", [False, True])
def test_no_later_statement_of_the_connection_has_the_context(
    tenant: Tenant, owner: User, is_atomic: bool
) -> None:
    request = RequestFactory().post("/")
    request.user = owner
    with audited_request(request):
        if is_atomic:
            with transaction.atomic():
                Tenant.objects.update(name="By owen")
        else:
            Tenant.objects.update(name="By owen")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('runledger.audit', true)")
        assert cursor.fetchone()[0] in (None, "")

    assert (newest().user_name, newest().user_id) == ("owen", owner.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.direct  # it starts a pooler itself
def test_clients_of_a_pooler_never_get_the_context_of_another(
    start_pooler: StartPooler, workspace: Workspace
) -> None:
    """Each process is a user who changes a tenant; they share the connections of the server."""
    for number in range(6):
        member = create_member(workspace, username=f"user-{number}")
        TenantFactory(workspace=workspace, name=f"tenant-{number}")
        assert member.pk
    url = start_pooler(ignore_options=True)
    program = """
import sys, django; django.setup()
from django.test import RequestFactory
from audit.context import audited_request
from tenancy.models import Tenant, User
request = RequestFactory().post("/")
request.user = User.objects.get(username=f"user-{sys.argv[1]}")
for turn in range(30):
    with audited_request(request):
        Tenant.objects.filter(name=f"tenant-{sys.argv[1]}").update(status=["active", "suspended"][turn % 2 == 0])
"""
    environment = os.environ | {
        "DATABASE_URL": url,
        "DATABASE_POOLER": "transaction",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }

    def run(number: int) -> None:
        subprocess.run(
            [sys.executable, "-c", program, str(number)], cwd=ROOT, env=environment, check=True
        )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))

    changes = AuditEntry.objects.filter(object_type="tenants", action="updated")
    assert changes.count() == 180
    for entry in changes:
        assert entry.user_name.removeprefix("user-") == entry.object_name.removeprefix("tenant-")


@pytest.mark.django_db(transaction=True)
def test_a_command_names_itself(tenant: Tenant) -> None:
    """Its arguments are left out: they can contain secrets."""
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c",
         "from tenancy.models import Tenant; Tenant.objects.update(name='By a command')"],
        cwd=ROOT, check=True, capture_output=True,
        env=os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings.test"},
    )  # fmt: skip

    assert (newest().origin, newest().user_name) == ("command shell", "")


@pytest.mark.django_db
def test_a_page_that_changes_nothing_sets_nothing(client: Client, owner: User) -> None:
    open_session(client, owner)
    client.get(reverse("tenant_list", args=[owner.memberships.get().workspace.slug]))

    assert "user_name" not in current_context()


@pytest.mark.django_db(transaction=True)
def test_a_context_that_is_no_json_refuses_the_change(tenant: Tenant, app_role: str) -> None:
    with psycopg.connect(app_role, autocommit=True) as session:
        session.execute("SET runledger.audit = 'forged'")
        with pytest.raises(psycopg.Error, match="invalid input syntax for type json"):
            session.execute("UPDATE tenants SET name = 'x'")

    tenant.refresh_from_db()
    assert tenant.name == "Fabrikam"
