"""Every list is exported as CSV: complete, filtered, and only with rows of the own workspace."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import DatabaseError
from django.urls import reverse

from tenancy.models import Tenant
from tenancy.roles import Role
from tests.isolation.conftest import SignIn, World
from tests.support.exports import LISTS, SEPARATE
from web import csv_export

pytestmark = pytest.mark.django_db

BY_NAME = pytest.mark.parametrize("name", LISTS)
#: Lists whose rows are users.
WITHOUT_TENANT = {"member_list", "incident_list", "audit_log"}


def address(world: World, name: str, query: str = "") -> str:
    args = {"slug": world.own_ids["slug"]}
    if name == "tenant_run_list":
        args["tenant_id"] = world.own_ids["tenant_id"]
    return reverse(name, kwargs=args) + query


def export(world: World, name: str) -> str:
    if name in SEPARATE:
        return address(world, SEPARATE[name])
    return address(world, name, "?format=csv")


def rows_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert ".csv" in response["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))


@BY_NAME
def test_a_list_is_exported_with_rows_of_its_workspace(
    world: World, sign_in: SignIn, name: str
) -> None:
    client = sign_in(world.users[Role.OWNER])
    own = Tenant.objects.get(pk=world.own_ids["tenant_id"])
    Tenant.objects.filter(pk=own.pk).update(name="=own()")

    rows = rows_of(client.get(export(world, name)))

    assert rows
    if name not in WITHOUT_TENANT:
        assert {row["tenant"] for row in rows if row["tenant"]} >= {"'=own()"}
        others = Tenant.objects.exclude(workspace=own.workspace).values_list("name", flat=True)
        assert not {row["tenant"] for row in rows} & set(others)


@BY_NAME
def test_the_page_of_a_list_links_to_its_export(world: World, sign_in: SignIn, name: str) -> None:
    html = sign_in(world.users[Role.OWNER]).get(address(world, name)).content.decode()

    assert "Export CSV" in html
    assert "format=csv" in html or SEPARATE[name].split("_")[1] in html


@pytest.mark.parametrize("name", sorted(set(LISTS) - SEPARATE.keys()))
def test_another_format_is_refused(world: World, sign_in: SignIn, name: str) -> None:
    client = sign_in(world.users[Role.OWNER])

    response = client.get(address(world, name, "?format=xml"))

    assert response.status_code == 400


@BY_NAME
def test_an_interrupted_export_says_so_on_its_last_line(
    world: World, sign_in: SignIn, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(csv_export, "safe_cell", fail)

    rows = rows_of(sign_in(world.users[Role.OWNER]).get(export(world, name)))

    assert [next(iter(row.values())) for row in rows] == [csv_export.INTERRUPTED]
