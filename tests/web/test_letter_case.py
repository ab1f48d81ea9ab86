"""Searches in Python and in PostgreSQL ignore upper and lower case by the same rule."""

from __future__ import annotations

import sys

import pytest
from django.db import connection
from django.test import Client

from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.sessions import open_session
from web.letter_case import ignore_case

NAMES = [
    *("Straße", "STRASSE", "strasse", "STRAẞE", "Ärzte", "ÄRZTE", "œuvre", "Æther", "ŁÓDŹ"),
    *(
        "ΟΔΟΣ",
        "οδος",
        "Ёлка",
        "İstanbul",
        "istanbul",
        "\u0131l\u0131k",
        "ﬁnance",
        "東京",
        "a\u0308rzte",
    ),
]


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_the_rule_is_that_of_the_database(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT upper(%s)", [name])
        (upper,) = cursor.fetchone()

    assert ignore_case(name) == upper


@pytest.mark.django_db
def test_the_rule_holds_for_every_letter_that_python_makes_longer() -> None:
    letters = [chr(number) for number in range(sys.maxunicode) if len(chr(number).upper()) > 1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT letter, upper(letter) FROM unnest(%s::text[]) AS letter", [letters])
        upper = dict(cursor.fetchall())

    assert {letter: ignore_case(letter) for letter in letters} == upper


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "names"),
    [("STRASSE", {"Strasse"}), ("straße", {"Straße"}), ("STRAßE", {"Straße"})],
)
def test_every_list_finds_the_same(
    client: Client, operator: User, tenant: Tenant, text: str, names: set[str]
) -> None:
    open_session(client, operator)
    every = ("Strasse", "Straße")
    for name in every:
        TenantFactory(workspace=tenant.workspace, name=name)
        OperationRunFactory(tenant=tenant, initiator_name=f"Schedule: {name}")

    for address in ("tenants", "freshness", "runs"):
        page = client.get(f"/w/contoso/{address}/", {"q": text}).content.decode()
        listed = page.partition("<main")[2]
        assert {name for name in every if f"{name}<" in listed or f"{name}\n" in listed} == names, (
            address
        )
