"""No page needs more than 15 SQL statements."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenancy.models import Membership, User
from tenancy.roles import Role
from tests.browser.pages import TOURS, populate
from tests.support.sessions import open_session

#: Those that read the session and those that begin and end a transaction count, too.
MAX_STATEMENTS = 15

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("tour", TOURS)
def test_no_page_of_an_owner_needs_more_than_15_statements(client: Client, tour: str) -> None:
    populate()
    addresses = TOURS[tour].populate()
    if username := TOURS[tour].user:
        user = User.objects.get(username=username)
        # An owner sees most.
        Membership.objects.filter(user=user).update(role=Role.OWNER)
        open_session(client, user)

    excesses = {}
    for name, address in addresses.items():
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        if len(captured) > MAX_STATEMENTS:
            excesses[name] = [query["sql"][:200] for query in captured]

    assert excesses == {}
