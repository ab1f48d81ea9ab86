"""The guards of the audit log, attacked with plain SQL: as the owner and as the application."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit.chain import seal_entries
from audit.models import AuditEntry, AuditLink
from tenancy.models import Tenant

ATTACKS = [
    "UPDATE audit_entries SET user_name = 'mallory'",
    "UPDATE audit_entries SET user_name = 'mallory' WHERE false",
    "DELETE FROM audit_entries",
    "TRUNCATE audit_entries",
    "INSERT INTO audit_entries SELECT * FROM audit_entries",
    "UPDATE audit_links SET hash = ''",
    "DELETE FROM audit_links",
    "TRUNCATE audit_links",
    "INSERT INTO audit_links VALUES (7, 7, '', '')",
]


@pytest.mark.django_db
@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if "INSERT" not in attack])
def test_not_even_the_owner_changes_an_entry(tenant: Tenant, attack: str) -> None:
    seal_entries()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(attack)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if attack[:6] in ("UPDATE", "TRUNCA")]
)
def test_the_setting_of_retention_allows_no_change(tenant: Tenant, attack: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.audit_retention', 'on', true)")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(attack)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("has_rights", [False, True], ids=["as granted", "with all rights"])
def test_the_application_can_only_read(
    tenant: Tenant, app_role: str, attack: str, has_rights: bool
) -> None:
    seal_entries()
    before = list(AuditEntry.objects.values()), list(AuditLink.objects.values())
    with psycopg.connect(app_role, autocommit=True) as session:
        if has_rights:
            with connection.cursor() as cursor:
                cursor.execute(f"GRANT ALL ON audit_entries, audit_links TO {session.info.user}")
        session.execute("SET runledger.audit_retention = 'on'")
        with pytest.raises(psycopg.Error, match=r"permission denied|append-only"):
            session.execute(attack)

    assert (list(AuditEntry.objects.values()), list(AuditLink.objects.values())) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "call",
    [
        "SELECT audit_add('updated', '', '', '', '', '{1}', 1, '{}', '{}', '{}')",
        "SELECT audit_record_event('updated', NULL, 'forged', NULL, '{}', '{}')",
        "SELECT audit_record_event('retention', NULL, 'forged', NULL, '{}', '{}')",
        "ALTER TABLE tenants DISABLE TRIGGER audited",
        "DROP TRIGGER audited ON tenants",
        "SET session_replication_role = replica",
        "CREATE TRIGGER audited BEFORE UPDATE ON tenants EXECUTE FUNCTION audit_record_change()",
    ],
)
def test_the_application_cannot_forge_or_avoid_a_change(app_role: str, call: str) -> None:
    with psycopg.connect(app_role, autocommit=True) as session:
        with pytest.raises(psycopg.Error, match=r"permission denied|not allowed|must be owner"):
            session.execute(call)


@pytest.mark.django_db(transaction=True)
def test_a_change_by_direct_sql_is_recorded(tenant: Tenant, app_role: str) -> None:
    with psycopg.connect(app_role, autocommit=True) as session:
        session.execute("UPDATE tenants SET status = 'suspended'")
        role = session.info.user

    entry = AuditEntry.objects.get(action="updated")
    assert (entry.object_type, entry.object_id) == ("tenants", str(tenant.pk))
    assert entry.object_name == "Fabrikam"
    assert entry.changes == {"status": ["active", "suspended"]}
    assert (entry.origin, entry.database_role, entry.user_name) == ("direct SQL", role, "")
    assert (entry.workspace_id, entry.tenant_id) == (tenant.workspace_id, tenant.pk)


@pytest.mark.django_db(transaction=True)
def test_temporary_tables_do_not_divert_entries(tenant: Tenant, app_role: str) -> None:
    with psycopg.connect(app_role, autocommit=True) as session:
        database, role = connection.settings_dict["NAME"], session.info.user
        with connection.cursor() as cursor:
            cursor.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO {role}')
        session.execute("CREATE TEMP TABLE audit_entries (LIKE public.audit_entries)")
        session.execute("CREATE TEMP TABLE memberships (user_id bigint, workspace_id bigint)")
        session.execute("UPDATE tenants SET status = 'suspended'")

    assert AuditEntry.objects.filter(action="updated").count() == 1
