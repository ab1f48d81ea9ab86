"""The search of the audit log finds what a comparison of every entry does, and reads few of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from audit.filters import AuditFilter
from audit.models import AuditEntry
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.database import SharedRows
from tests.support.factories import TenantFactory, UserFactory, create_member
from tests.support.sessions import open_session
from web import term_search
from web.keyset import NEWEST_FIRST, Place, older_than

#: Three entries of each row: object, user, address and reference.
VALUES = (
    ("tenants", "Block legacy sign-ins", "olga", "192.0.2.17", "A1B2C3D4"),
    ("tenants", "straße 100 %", "RITA", "2001:db8::1", "run 17"),
    ("memberships", "", "noor", None, ""),
    ("", "多要素認証", "", "198.51.100.4", "ffff"),
)
#: The parameters of a search, and which of the values above have them.
SEARCHES: list[tuple[dict[str, str], set[int]]] = [
    ({"q": "BLOCK"}, {0}),
    ({"q": "acy sign"}, {0}),
    ({"q": "Straße"}, {1}),
    ({"q": "rita"}, {1}),
    ({"q": "認証"}, {3}),
    ({"q": "要素認証"}, {3}),
    ({"q": "192.0.2.1"}, {0}),
    ({"q": "0.2.17"}, set()),
    ({"q": "2001:db8"}, {1}),
    ({"q": "a1b2c3d4"}, {0}),
    ({"q": "a1b2"}, set()),
    ({"q": "RUN 17"}, {1}),
    ({"q": "o"}, {0, 2}),
    ({"q": "%"}, {1}),
    ({"q": "nothing has this"}, set()),
    ({"kind": "memberships"}, {2}),
    ({"kind": "tenants", "q": "block"}, {0}),
    ({"kind": "tenants", "q": "no"}, set()),
    ({"kind": "memberships", "q": "block"}, set()),
    ({"action": "updated", "kind": "tenants"}, {0, 1}),
    ({"action": "deleted"}, set()),
]

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def workspace(shared_rows: SharedRows) -> Workspace:
    """A workspace with the values, each at several times, and another one with the same."""
    with shared_rows():
        tenants = [TenantFactory(), TenantFactory()]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM audit_entries")
            for tenant in tenants:
                for number in range(3 * len(VALUES)):
                    cursor.execute(
                        "INSERT INTO audit_entries (created_at, action, object_type, object_id,"
                        " object_name, part, workspace_id, tenant_id, user_name, origin, address,"
                        " reference, database_role, changes, details)"
                        " VALUES (now() - %s * interval '1 minute', 'updated', %s, '7', %s, '', %s,"
                        " %s, %s, 'page', %s, %s, '', '{}', '{}')",
                        [
                            number // 2,
                            *VALUES[number % len(VALUES)][:2],
                            tenant.workspace_id,
                            tenant.pk,
                            *VALUES[number % len(VALUES)][2:],
                        ],
                    )
            cursor.execute("SET LOCAL session_replication_role = origin")
        return tenants[0].workspace


@pytest.fixture(params=(160, 1), ids=("all compared", "by the index"))
def compared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many entries are compared for each listed one: all of them, or nearly none."""
    monkeypatch.setattr(term_search, "COMPARED", request.param)


def listed(filters: AuditFilter, size: int) -> list[AuditEntry]:
    """Return the entries that a client gets page by page."""
    entries: list[AuditEntry] = []
    remaining = filters.listed.scope
    while page := filters.listed.fetch(remaining, NEWEST_FIRST, size):
        entries.extend(page)
        remaining = older_than(filters.listed.scope, Place.of(page[-1]))
    return entries


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize(("params", "rows"), SEARCHES)
def test_a_search_finds_the_entries_with_the_values(
    workspace: Workspace, params: dict[str, str], rows: set[int]
) -> None:
    entries = AuditEntry.objects.filter(workspace=workspace).newest_first()
    names = [(VALUES[row][0], VALUES[row][1]) for row in rows]
    expected = [each for each in entries if (each.object_type, each.object_name) in names]

    filters = AuditFilter(params, workspace, User())

    assert not filters.errors
    assert listed(filters, 2) == expected
    assert filters.listed.count() == str(len(expected))


@pytest.mark.usefixtures("compared")
def test_a_search_applies_to_a_tenant_and_to_an_object(workspace: Workspace) -> None:
    tenant = Tenant.objects.get(workspace=workspace)
    other = TenantFactory(workspace=workspace)

    def count(**params: str) -> str:
        return AuditFilter({"q": "block", **params}, workspace, User()).listed.count()

    assert count(tenant=f"{tenant.pk}", object="tenants/7") == "3"
    assert (count(tenant=f"{other.pk}"), count(object="tenants/8")) == ("0", "0")


@pytest.mark.usefixtures("compared")
def test_the_page_and_the_export_have_the_entries_with_a_text(
    client: Client, workspace: Workspace
) -> None:
    open_session(client, create_member(workspace, Role.OWNER))
    address = f"/w/{workspace.slug}/audit-log/"

    page = client.get(address, {"q": "LEGACY"}).content.decode()
    export: Any = client.get(f"{address}export/", {"q": "LEGACY"})

    assert "3 entries" in page
    assert b"".join(export).count(b"Block legacy sign-ins") == 3


@pytest.mark.parametrize(("text", "count"), [("RITA", 6), ("run 17", 6), ("rit", 0), ("ffff", 6)])
def test_staff_search_the_entries_of_all_workspaces(
    client: Client, workspace: Workspace, text: str, count: int
) -> None:
    open_session(client, UserFactory(is_staff=True, is_superuser=True))

    response: Any = client.get("/admin/audit/auditentry/", {"q": text})

    assert response.context["cl"].result_count == count


def test_an_entry_without_values_has_terms() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_entry_terms(1, NULL, '', 'signed_in', '', '', '', NULL, '')")
        (terms,) = cursor.fetchone()

    assert "workspace 1" in terms
    assert "action signed_in" in terms
