"""The lists of the administration site: their pages contain each row once, in every order."""

from __future__ import annotations

import datetime as dt
import re
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from inventory.models import Policy
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


def read(user: User, query: str) -> Any:
    request = RequestFactory().get(ADDRESS + query)
    request.user = user
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
    assert len(statements) == 2
    assert not any("DISTINCT" in sql for sql in statements)
