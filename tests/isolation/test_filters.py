"""Every list with a filter rejects invalid values and never answers them with all rows."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from tenancy.roles import Role
from tests.isolation.conftest import SignIn, World
from tests.support.routes import ROUTES, Route

LISTS = pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if not route.post],
    ids=lambda route: route.name,
)


class Filter(HTMLParser):
    """Collect the field names of a page's filter form.

    The search in the navigation leads to its own page, so it is no filter of the page.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in ("form", "fieldset"):
            is_other_page = attributes.get("action") == reverse("search")
            self._inside = attributes.get("role") == "search" and not is_other_page
        elif self._inside and tag in ("input", "select") and (name := attributes.get("name")):
            self.names.append(name)

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("form", "fieldset")


def count_rows(html: str) -> int:
    return len(re.findall(r"<tr data-row|<tbody>\s*<tr>", html))


def filters_of(client: Client, address: str) -> list[str]:
    response = client.get(address)
    html = "" if response.streaming else response.content.decode(errors="replace")
    return Filter(html).names


@LISTS
def test_an_invalid_filter_is_rejected(world: World, sign_in: SignIn, route: Route) -> None:
    client = sign_in(world.users["staff" if route.staff else Role.OWNER])
    address = world.url(route, world.own_ids)

    values = ("no-such\x00choice", "9" * 200)
    failures = []
    for name, value in product(filters_of(client, address), values):
        response = client.get(address, {name: value})
        result = (response.status_code, count_rows(response.content.decode()))
        if result != (400, 0):
            failures.append((name, value, result))

    assert failures == [], route.name


def test_every_list_has_a_filter(world: World, sign_in: SignIn) -> None:
    client = sign_in(world.users[Role.OWNER])

    filtered_routes = {
        route.name
        for route in ROUTES
        if not route.post and filters_of(client, world.url(route, world.own_ids))
    }

    assert filtered_routes >= {
        *("run_list", "run_list_all", "tenant_list", "connection_list", "schedule_list"),
        *("policy_list", "group_list", "role_definition_list"),
        *("backup_set_list", "backup_set_detail", "restore_create"),
    }


@pytest.mark.parametrize("status", ["nonsense", "9" * 200, "\x00"])
def test_an_invalid_filter_in_a_link_is_rejected(
    world: World, sign_in: SignIn, status: str
) -> None:
    client = sign_in(world.users[Role.OWNER])

    for address in (
        "/w/ours/restores/?status=",
        f"/w/ours/backup-sets/{world.own_ids['set_id']}/?kind=",
    ):
        assert client.get(address + quote(status)).status_code == 400
