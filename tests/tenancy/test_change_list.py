"""The lists of the administration site: their pages contain each row once, in every order."""

from __future__ import annotations

import datetime as dt
import re
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from api.models import ApiSubmission
from audit.models import AuditLink
from backups.models import BackupItem, BackupSet
from inventory.models import Policy
from operations.models import OperationRunItem
from tenancy import change_list
from tenancy.db import database_now
from tenancy.models import User
from tests.support.database import SharedRows
from tests.support.factories import TenantFactory, UserFactory
from tests.support.factories.inventory import PolicyFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/inventory/policy/"
ROWS = 9
COLUMNS = len(admin.site._registry[Policy].list_display)
#: A column, a column backwards, and two columns in opposite directions.
ORDERS = ["", *(f"{sign}{at}" for at, sign in product(range(COLUMNS), ("", "-"))), "5.-0", "-6.1"]


@pytest.fixture(scope="module")
def superuser(shared_rows: SharedRows) -> User:
    """A superuser, and policies with equal names and with and without the times of a column."""
    with shared_rows():
        now = database_now()
        tenants = [TenantFactory(name=name) for name in ("Fabrikam", "Contoso")]
        for number in range(ROWS):
            PolicyFactory(
                tenant=tenants[number % 2],
                name=f"Policy {number // 3}",
                is_assigned=number % 4 == 0,
                missing_since=now + dt.timedelta(days=number // 2) if number % 3 else None,
            )
        user: User = UserFactory(is_staff=True, is_superuser=True)
        return user


@pytest.fixture
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the list longer than what is counted, and its pages short."""
    monkeypatch.setattr(change_list, "COUNT_CAP", 2)
    monkeypatch.setattr(admin.site._registry[Policy], "list_per_page", 2)


@pytest.fixture
def _in_parts(_long: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare few rows of the table for a page."""
    monkeypatch.setattr(change_list, "SEARCHED", 2)


def read(user: User, query: str) -> Any:
    request: Any = RequestFactory().get(ADDRESS + query)
    request.user = user
    request._messages = CookieStorage(request)
    return admin.site._registry[Policy].get_changelist_instance(request)


def ids(page: Any) -> list[int]:
    return [row.pk for row in page.result_list]


@pytest.mark.parametrize("order", ORDERS)
def test_pages_lead_through_all_rows_and_back(
    superuser: User, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ids(read(superuser, f"?o={order}"))
    assert len(whole) == ROWS
    monkeypatch.setattr(change_list, "COUNT_CAP", 2)
    monkeypatch.setattr(admin.site._registry[Policy], "list_per_page", 2)

    pages = [read(superuser, f"?o={order}")]
    while address := pages[-1].next_url:
        pages.append(read(superuser, address))
    back = [pages[-1]]
    while address := back[-1].previous_url:
        back.append(read(superuser, address))

    assert [row for page in pages for row in ids(page)] == whole
    assert [ids(page) for page in reversed(back)] == [ids(page) for page in pages]


@pytest.mark.usefixtures("_long")
def test_a_long_list_has_links_instead_of_page_numbers(client: Client, superuser: User) -> None:
    open_session(client, superuser)

    first = client.get(f"{ADDRESS}?is_assigned__exact=0&q=policy").content.decode()
    link = re.search(r'href="([^"]+)">Next page', first)
    assert link
    assert "is_assigned__exact=0" in link[1]
    assert "q=policy" in link[1]
    second = client.get(ADDRESS + link[1].replace("&amp;", "&")).content.decode()

    assert "2+ results" in first
    assert "2+ policies" in first
    assert "Select all" not in first
    assert "Previous page" not in first
    assert all(text in second for text in ("First page", "Previous page", "Next page"))


def test_a_short_list_has_page_numbers(
    client: Client, superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[Policy], "list_per_page", 4)
    html = open_session(client, superuser).get(f"{ADDRESS}?p=2").content.decode()

    assert '<span class="this-page">2</span>' in html
    assert f"{ROWS} policies" in html
    assert "Next page" not in html


@pytest.mark.usefixtures("_long")
@pytest.mark.parametrize("edge", ["after=999999999", "before=x", "after=%00"])
def test_an_edge_that_is_gone_leads_to_the_first_page(
    client: Client, superuser: User, edge: str
) -> None:
    html = open_session(client, superuser).get(f"{ADDRESS}?{edge}&q=policy").content.decode()

    assert "The list has changed. This is its first page." in html
    assert "2+ results" in html
    assert "Previous page" not in html


def test_a_list_reads_no_values_of_its_filters(client: Client, superuser: User) -> None:
    """Neither the kinds that occur nor the number of rows of each value."""
    open_session(client, superuser)

    with CaptureQueriesContext(connection) as captured:
        html = client.get(f"{ADDRESS}?_facets=True").content.decode()

    assert "kind=conditional_access" in html
    statements = [query["sql"] for query in captured if "policies" in query["sql"]]
    # Whether the table is long, the number of rows, and the rows.
    assert len(statements) == 3
    assert not any("DISTINCT" in sql for sql in statements)


@pytest.mark.usefixtures("_in_parts")
@pytest.mark.parametrize("query", ["q=0", "q=2", "is_assigned__exact=0", "q=zq"])
def test_parts_of_a_long_table_lead_through_all_rows_with_a_text_and_back(
    superuser: User, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as whole_table:
        whole_table.setattr(change_list, "SEARCHED", ROWS)
        whole_table.setattr(change_list, "COUNT_CAP", ROWS)
        whole_table.setattr(admin.site._registry[Policy], "list_per_page", ROWS)
        whole = sorted(ids(read(superuser, f"?{query}")), reverse=True)

    pages = [read(superuser, f"?{query}")]
    while address := pages[-1].next_url:
        pages.append(read(superuser, address))
    filled = [page for page in pages if ids(page)]
    back = filled[-1:]
    while back and (address := back[-1].previous_url):
        back.append(read(superuser, address))

    assert len(pages) > ROWS // 4
    assert [row for page in pages for row in ids(page)] == whole
    assert [row for page in reversed(back) for row in ids(page)] == whole


@pytest.mark.usefixtures("_in_parts")
def test_pages_of_an_indexed_search_lead_through_all_rows_and_back(
    superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_list, "COMPARED", 1)
    whole = Policy.objects.filter(name="Policy 1").order_by("-pk").values_list("pk", flat=True)

    first = read(superuser, "?q=policy+1")
    second = read(superuser, first.next_url)
    back = read(superuser, second.previous_url)

    assert [*ids(first), *ids(second)] == list(whole)
    assert ids(back) == ids(first)
    assert (second.next_url, back.previous_url) == ("", "")


@pytest.mark.usefixtures("_in_parts")
def test_a_page_of_a_long_table_says_how_much_it_has_searched(
    client: Client, superuser: User
) -> None:
    open_session(client, superuser)

    oldest = min(Policy.objects.values_list("pk", flat=True))

    first = client.get(f"{ADDRESS}?q=zq").content.decode()
    end = client.get(f"{ADDRESS}?q=zq&after={oldest}").content.decode()

    assert "2 rows were searched. “Next page” searches further." in first
    assert "0+ results" in first
    assert "rows were searched" not in end
    assert "Next page" not in end


@pytest.mark.usefixtures("_in_parts")
@pytest.mark.parametrize(
    ("order", "is_sorted"), [("", True), ("1", False), ("-2.1", False), ("5", False)]
)
def test_a_long_table_is_sorted_by_its_key_without_an_index(
    client: Client, superuser: User, order: str, is_sorted: bool
) -> None:
    newest = sorted(Policy.objects.values_list("pk", flat=True), reverse=True)

    answer = open_session(client, superuser).get(f"{ADDRESS}?o={order}")

    assert [row.pk for row in answer.context["cl"].result_list] == newest[:2]
    refusal = "More than 2 rows cannot be sorted like this. The newest come first."
    assert (refusal in answer.content.decode()) is not is_sorted


@pytest.mark.parametrize(
    ("model", "order", "has_index"),
    [
        (BackupItem, ["-id"], True),
        (BackupItem, ["-captured_at"], False),
        (BackupItem, ["-backup_set"], False),
        (ApiSubmission, ["-created_at"], True),
        (ApiSubmission, ["created_at", "-submission_id"], False),
        (BackupSet, ["tenant__name"], False),
        (OperationRunItem, ["run", "outcome"], True),
        (OperationRunItem, ["-run", "outcome"], False),
        (OperationRunItem, ["run"], False),
        (User, ["username"], True),
        (AuditLink, ["entry_id"], True),
    ],
)
def test_an_index_has_an_order_if_it_has_its_columns(
    model: type[Model], order: list[str], has_index: bool
) -> None:
    assert change_list._has_index(model, change_list._whole_order(model, order)) is has_index
