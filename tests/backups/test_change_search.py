"""The search for changes finds what a comparison of every change does, and reads few of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backups.change_filter import ChangeFilter
from backups.models import Change, PolicyChange
from tenancy.models import Tenant, Workspace
from tests.support.database import SharedRows, without_guards
from tests.support.factories import TenantFactory, create_member
from tests.support.sessions import open_session
from web import term_search
from web.keyset import COUNT_CAP, NEWEST_FIRST, PAGE_SIZE, Order, Place, older_than

pytestmark = pytest.mark.django_db

NAMES = (
    "Block legacy authentication", "BitLocker 100 % of disks", "CA001_Block", "Über-Richtlinie",
    "straße", "İstanbul", r"C:\Temp", "多要素認証を要求する", "MFA", "ab", "x",
)  # fmt: skip
AUTHORS = ("", "admin@contoso.example", "ADMIN@fabrikam.example", "bot@block.example")
#: Of each text, another part of the code decides where it is found.
TEXTS = (
    "block", "LEGACY AUTH", "100 %", "_bl", "%", "\\", "über", "Straße", "STRASSE", "istanbul", "İst",
    "認証を", "要", "mfa", "mfa1", "a", "ab", "example", "adm", "n@f", "id-3", "ID-3", "id-", "#1",
    "nothing has this text", "xad",
)  # fmt: skip
OLDEST_FIRST = replace(NEWEST_FIRST, descending=False)


@pytest.fixture(scope="module")
def workspace(shared_rows: SharedRows) -> Workspace:
    """A workspace with changes, several at the same time, and another one with the same texts."""
    with shared_rows():
        tenants = [TenantFactory(), TenantFactory()]
        now = timezone.now()
        with without_guards("policy_changes"):
            PolicyChange.objects.bulk_create(
                PolicyChange(
                    workspace=tenant.workspace,
                    tenant=tenant,
                    change=Change.REMOVED,
                    kind="conditional_access",
                    graph_id=f"id-{number}",
                    name=NAMES[number % len(NAMES)],
                    before_id=number,
                    author=(author := AUTHORS[number % len(AUTHORS)]),
                    changed_at=now if author else None,
                    author_gap="" if author else "not_logged",
                    created_at=now - dt.timedelta(minutes=number // 3),
                )
                for tenant in tenants
                for number in range(1, 89)
            )
        return tenants[0].workspace


@pytest.fixture(params=(160, 1), ids=("all compared", "by the index"))
def compared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many changes are compared for each listed one: all of them, or nearly none."""
    monkeypatch.setattr(term_search, "COMPARED", request.param)
    return int(request.param)


def expected(workspace: Workspace, text: str) -> list[int]:
    """The ids of the changes with a text, newest first."""
    matches = Q(name__icontains=text) | Q(graph_id=text) | Q(author__icontains=text)
    changes = PolicyChange.objects.filter(matches, workspace=workspace)
    return list(changes.order_by("-created_at", "-id").values_list("pk", flat=True))


def listed(filters: ChangeFilter, order: Order, size: int) -> list[int]:
    """Return the ids of the changes that a client gets page by page."""
    ids: list[int] = []
    changes = filters.scope
    while page := filters.listed.fetch(changes, order, size):
        ids.extend(change.pk for change in page)
        changes = older_than(filters.scope, Place.of(page[-1], order))
    return ids


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize("text", TEXTS)
def test_a_search_finds_the_changes_with_the_text(workspace: Workspace, text: str) -> None:
    filters = ChangeFilter({"q": text}, workspace)
    ids = expected(workspace, filters.search)

    assert [*listed(filters, NEWEST_FIRST, 3)] == ids
    assert [*listed(filters, OLDEST_FIRST, 3)] == ids[::-1]
    count = filters.listed.count()
    assert count == str(len(ids)) or PAGE_SIZE < int(count.removesuffix("+")) < len(ids)


def test_a_search_applies_to_the_other_filters(workspace: Workspace, compared: int) -> None:
    tenant = Tenant.objects.get(workspace=workspace)
    parameters = {"q": "block", "tenant": str(tenant.pk), "change": Change.REMOVED.value}
    today = timezone.now().date()
    days = {"since": f"{today - dt.timedelta(days=2)}", "until": f"{today + dt.timedelta(days=2)}"}

    some = ChangeFilter({**parameters, **days}, workspace)
    none = ChangeFilter({**parameters, "change": Change.CREATED.value}, workspace)

    assert listed(some, NEWEST_FIRST, 30) == expected(workspace, "block")
    assert (listed(none, NEWEST_FIRST, 30), none.listed.count()) == ([], "0")


def test_a_count_is_exact_unless_more_than_a_page_was_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = ChangeFilter({"q": "example"}, workspace).listed.count()
    monkeypatch.setattr(term_search, "COMPARED", 2)
    more = ChangeFilter({"q": "example"}, workspace).listed.count()
    rare = ChangeFilter({"q": "legacy"}, workspace).listed.count()

    assert exact == str(len(expected(workspace, "example")))
    assert more.endswith("+")
    assert PAGE_SIZE < int(more.removesuffix("+")) <= COUNT_CAP
    assert rare == str(len(expected(workspace, "legacy")))


def test_the_page_and_the_export_have_the_changes_with_a_text(
    client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_search, "COMPARED", 1)
    open_session(client, create_member(workspace))
    address = f"/w/{workspace.slug}/changes/"

    with CaptureQueriesContext(connection) as captured:
        page = client.get(address, {"q": "LEGACY"}).content.decode()
    # The export empties the log of statements.
    statements = [each["sql"] for each in captured]
    export: Any = client.get(f"{address}export.csv", {"q": "LEGACY"})

    count = len(expected(workspace, "legacy"))
    assert f"{count} changes" in page
    # Each is read once, for the page and for the count: the place of the nearest changes, and the index.
    assert sum("OFFSET" in sql for sql in statements) == 1
    assert sum("policy_change_terms(" in sql for sql in statements) == 1
    # What a change refers to is loaded only for the changes of the page.
    assert not any("LIKE" in sql and "JOIN" in sql for sql in statements)
    assert b"".join(export).count(b"Block legacy authentication") == count


def rare_terms(*terms: str, index: str = "changes_terms") -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT search_rare_terms(%s, %s)", [index, list(terms)])
        rare: list[str] = cursor.fetchone()[0]
    return rare


def test_the_index_is_asked_for_the_rarest_terms(workspace: Workspace) -> None:
    every = f"#{workspace.pk}"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE policy_changes")

    assert rare_terms("id-7", "LEG", every) == ["LEG", "id-7"]
    assert rare_terms("LEG", every) == sorted(["LEG", every])
    # A term that no change has is as rare as the rarest.
    assert rare_terms("XYZ", "LEG", every) == ["LEG", "XYZ"]
    # Nothing is known about an index that was not analyzed.
    assert rare_terms("XYZ", "LEG", every, index="another") == sorted(["LEG", "XYZ", every])
    assert rare_terms() == []


def test_a_search_asks_the_index_for_the_rarest_terms(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_search, "COMPARED", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE policy_changes")

    with CaptureQueriesContext(connection) as captured:
        ChangeFilter({"q": "legacy xyz"}, workspace).listed.count()

    (statement,) = (each["sql"] for each in captured if "policy_change_terms(" in each["sql"])
    condition = statement.partition("policy_change_terms(")[2]
    assert "XYZ" in condition
    assert f"#{workspace.pk}" not in condition.partition(" OR ")[0]
