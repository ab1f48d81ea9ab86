"""Names have no invisible characters, in forms and in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from tenancy.models import Tenant, User
from tests.support.factories import UserFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session
from web.names import validate_name, visible_name

pytestmark = pytest.mark.django_db

#: Right-to-left override, isolate, zero-width space and joiner, byte order mark, soft hyphen,
#: Hangul filler, variation selector, tag, control.
INVISIBLE = [
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u3164", "\ufe0f"),
    *("\U000e0041", "\x07", "\n", "\u2028"),
]
VISIBLE = [
    "Contoso",
    "Müller & Söhne",
    "北京分公司",
    "شركة",
    "חברה",
    "भारत",
    "Ольга",
    "a b",
    "😀",
    ".",
]


@pytest.mark.parametrize("name", VISIBLE)
def test_a_name_in_any_script_is_accepted(name: str) -> None:
    validate_name(name)

    assert visible_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "password=hunter2-hunter2",
        "client_secret: 8Q~abcDEFghiJKLmnoPQRstuVWXyz0123456789ab",
        "Server=db;User=sa;Pwd=hunter2hunter2;",
    ],
)
def test_a_name_with_a_secret_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="seems to contain a password"):
        validate_name(name)


@pytest.mark.parametrize(
    "name", ["BitLocker recovery key", "Client secret expires soon", "Wi-Fi password policy"]
)
def test_a_name_about_secrets_is_accepted(name: str) -> None:
    validate_name(name)


def test_the_administration_refuses_a_name_with_a_secret(client: Client) -> None:
    open_session(client, UserFactory(is_staff=True, is_superuser=True))

    page = client.post(reverse("admin:auth_group_add"), {"name": "password=hunter2-hunter2"})

    assert "seems to contain a password" in page.content.decode()
    assert not Group.objects.exists()


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_an_invisible_character_is_refused_by_its_code_point(character: str) -> None:
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X} at position 4"):
        validate_name(f"abc{character}def")
    assert visible_name(f" abc{character}def") == "abcdef"


def test_the_database_has_the_same_list() -> None:
    ranges = [(1, 0xD7FF), (0xE000, 0xFFFF), (0x1D100, 0x1D1FF), (0xDFF00, 0xE10FF)]
    with connection.cursor() as cursor:
        for first, last in ranges:
            cursor.execute(
                "SELECT i FROM generate_series(%s::int, %s::int) i WHERE NOT is_visible_name(chr(i))",
                [first, last],
            )
            in_database = {code for (code,) in cursor.fetchall()}
            assert in_database == {
                code for code in range(first, last + 1) if not is_visible(chr(code))
            }


def is_visible(character: str) -> bool:
    try:
        validate_name(character)
    except ValidationError:
        return False
    return True


def rows(tenant: Tenant) -> list[tuple[Any, str]]:
    """One row of every table with a name that people enter, and the column."""
    return [
        (tenant, "name"),
        (tenant.workspace, "name"),
        (BackupScheduleFactory(tenant=tenant), "name"),
        (ProviderConnectionFactory(tenant=tenant), "name"),
        *((UserFactory(), column) for column in ("username", "first_name", "last_name")),
    ]


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_the_database_refuses_it_in_every_name(tenant: Tenant, character: str) -> None:
    for row, column in rows(tenant):
        change = f"UPDATE {row._meta.db_table} SET {column} = %s WHERE id = %s"
        with (
            pytest.raises(IntegrityError, match="name_is_visible"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change, [f"a{character}b", row.pk])


@pytest.mark.parametrize("character", INVISIBLE[:8], ids=ascii)
def test_every_form_refuses_it_with_a_message(
    client: Client, tenant: Tenant, owner: User, character: str
) -> None:
    open_session(client, owner)
    schedule = BackupScheduleFactory(tenant=tenant)
    connection_row = ProviderConnectionFactory(tenant=tenant)
    for address in (
        "/w/contoso/settings/",
        "/w/contoso/tenants/new/",
        f"{tenant.get_absolute_url()}edit/",
        "/w/contoso/schedules/new/",
        f"{schedule.get_absolute_url()}edit/",
        "/w/contoso/connections/new/",
        f"{connection_row.get_absolute_url()}edit/",
    ):
        response = client.post(address, {"name": f"Fabri{character}kam", "timezone": "UTC"})

        assert response.status_code == 400, address
        assert f"Remove the invisible character U+{ord(character):04X}" in response.content.decode()


def test_the_admin_refuses_it_in_the_names_of_users(client: Client, operator: User) -> None:
    open_session(client, UserFactory(is_staff=True, is_superuser=True))
    form = {"username": "olga", "first_name": "Ol\u200bga", "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00", "is_active": "on"}  # fmt: skip

    response = client.post(f"/admin/tenancy/user/{operator.pk}/change/", form)

    assert "Remove the invisible character U+200B" in response.content.decode()
    operator.refresh_from_db()
    assert operator.first_name == ""


def test_a_name_from_an_identity_provider_loses_its_invisible_characters() -> None:
    user = UserFactory(first_name="Ol\u200bga", last_name="\u202e")

    user.refresh_from_db()
    assert (user.first_name, user.last_name) == ("Olga", "")
