"""Read-only support access of staff: reasoned, limited, visible to the owners, ended by itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from audit.models import AuditEntry
from operations.models import OperationRun
from tenancy.capabilities import capabilities_of
from tenancy.checks import support_access_hours_are_valid
from tenancy.models import SupportAccess, Tenant, User, Workspace
from tenancy.roles import Capability, Role
from tenancy.support_access import end_access, open_access
from tests.support.database import without_guards
from tests.support.factories import OperationRunFactory, UserFactory, create_member
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

PAGE, REASON = "/support-access/", "Ticket 4711"
BANNER = "Support has read-only access to"


@pytest.fixture
def staff(db: None) -> User:
    """A member of staff who may open workspaces for support."""
    user: User = UserFactory(username="sara", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_supportaccess"))
    return user


@pytest.fixture
def page(client: Client, staff: User) -> Client:
    return open_session(client, staff)


@pytest.fixture
def access(workspace: Workspace, staff: User) -> SupportAccess:
    return open_access(workspace, by=staff, reason=REASON)


def expire(access: SupportAccess) -> None:
    """Let the time of an access be over, which the guards refuse otherwise."""
    with without_guards("support_accesses") as cursor:
        cursor.execute(
            "UPDATE support_accesses SET created_at = created_at - interval '5 hours',"
            " expires_at = created_at - interval '1 hour' WHERE id = %s",
            [access.pk],
        )


def text_of(client: Client, user: User, address: str) -> str:
    text: str = open_session(client, user).get(address).content.decode()
    return text


def test_staff_open_a_workspace_with_a_reason_and_read_it(
    page: Client, workspace: Workspace, tenant: Tenant, staff: User
) -> None:
    assert page.get("/w/contoso/tenants/").status_code == 404

    answer = page.post(PAGE, {"workspace": workspace.pk, "reason": REASON})

    assert answer["Location"] == "/w/contoso/"
    html = page.get("/w/contoso/tenants/").content.decode()
    assert "Fabrikam" in html
    assert "You have read-only support access to" in html
    assert "Add tenant" not in html
    assert capabilities_of(staff, workspace) == {Capability.VIEW}


def test_it_lasts_as_long_as_the_setting_says(
    page: Client, workspace: Workspace, settings: Settings
) -> None:
    settings.SUPPORT_ACCESS_HOURS = 2

    page.post(PAGE, {"workspace": workspace.pk, "reason": REASON})

    access = SupportAccess.objects.get()
    assert abs(access.expires_at - access.created_at - dt.timedelta(hours=2)) < dt.timedelta(
        minutes=1
    )


@pytest.mark.parametrize(("hours", "count"), [(0, 1), (1, 0), (24, 0), (25, 1)])
def test_a_setting_that_the_database_refuses_prevents_the_start(
    settings: Settings, hours: int, count: int
) -> None:
    settings.SUPPORT_ACCESS_HOURS = hours

    assert len(support_access_hours_are_valid()) == count


def test_every_write_is_refused(
    page: Client, access: SupportAccess, tenant: Tenant, staff: User
) -> None:
    run = OperationRunFactory(tenant=tenant, running=True)

    refusals = [
        page.post("/w/contoso/tenants/new/", {"name": "Adatum"}),
        page.post(f"/w/contoso/tenants/{tenant.pk}/suspend/"),
        page.post(reverse("run_cancel", args=[run.pk])),
        page.post(reverse("run_acknowledge_many", args=["contoso"]), {"run": [run.pk]}),
        page.delete("/w/contoso/"),
    ]

    assert {answer.status_code for answer in refusals} == {403}
    assert b"Your support access to Contoso Services is read-only." in refusals[0].content
    tenant.refresh_from_db()
    assert tenant.is_active
    assert OperationRun.objects.get(pk=run.pk).cancel_requested_at is None


def test_a_member_of_staff_keeps_the_rights_of_the_membership(
    page: Client, access: SupportAccess, staff: User, workspace: Workspace
) -> None:
    workspace.memberships.create(user=staff, role=Role.OWNER)

    answer = page.post("/w/contoso/settings/", {"name": "Renamed", "timezone": "UTC"})

    assert answer.status_code == 302
    workspace.refresh_from_db()
    assert workspace.name == "Renamed"


def test_it_ends_by_itself(page: Client, access: SupportAccess, staff: User) -> None:
    expire(access)

    assert page.get("/w/contoso/").status_code == 404
    assert page.get("/w/contoso/").content == page.get("/w/unknown/").content
    assert not Workspace.objects.visible_to(staff).exists()


def test_staff_who_are_no_longer_staff_lose_it(
    page: Client, access: SupportAccess, staff: User, workspace: Workspace
) -> None:
    User.objects.filter(pk=staff.pk).update(is_staff=False)

    assert page.get("/w/contoso/").status_code == 404
    staff.refresh_from_db()
    assert capabilities_of(staff, workspace) == frozenset()


def test_an_expired_access_can_be_opened_again(
    access: SupportAccess, workspace: Workspace, staff: User
) -> None:
    expire(access)

    open_access(workspace, by=staff, reason="Once more")

    first = SupportAccess.objects.get(pk=access.pk)
    assert first.ended_at == first.expires_at
    assert SupportAccess.objects.active().get().reason == "Once more"


def test_owners_see_it_on_every_page_and_others_do_not(
    client: Client, access: SupportAccess, owner: User, reader: User
) -> None:
    html = text_of(client, owner, "/w/contoso/runs/")
    assert BANNER in html
    assert "sara" in html
    assert REASON in html
    assert BANNER not in text_of(client, reader, "/w/contoso/runs/")

    expire(access)

    assert BANNER not in text_of(client, owner, "/w/contoso/runs/")
    members = text_of(client, owner, "/w/contoso/members/")
    assert f"<bdi>sara</bdi>: <bdi>{REASON}</bdi>" in members
    assert REASON not in text_of(client, reader, "/w/contoso/members/")


def test_the_audit_log_of_the_workspace_has_beginning_and_end(
    page: Client, workspace: Workspace, staff: User
) -> None:
    page.post(PAGE, {"workspace": workspace.pk, "reason": REASON})
    access = SupportAccess.objects.get()

    page.post(f"{PAGE}{access.pk}/end/")

    entries = AuditEntry.objects.filter(object_type="support_accesses", workspace=workspace)
    first, last = entries.order_by("pk")
    assert (first.user_name, first.action, last.action) == ("sara", "created", "updated")
    assert first.changes["reason"] == [None, REASON]


def test_an_owner_ends_it_at_once(
    client: Client, access: SupportAccess, owner: User, staff: User
) -> None:
    answer = open_session(client, owner).post(f"{PAGE}{access.pk}/end/")

    assert answer["Location"] == "/w/contoso/"
    access.refresh_from_db()
    assert (access.ended_by, access.ended_by_name) == (owner, "owen")
    assert open_session(client, staff).get("/w/contoso/").status_code == 404


def test_the_user_ends_it(page: Client, access: SupportAccess) -> None:
    answer = page.post(f"{PAGE}{access.pk}/end/")

    assert answer["Location"] == PAGE
    assert "ended by <bdi>sara</bdi>" in " ".join(page.get(PAGE).content.decode().split())


def test_ending_it_twice_has_no_further_effect(
    access: SupportAccess, staff: User, owner: User
) -> None:
    end_access(access, by=staff)
    end_access(access, by=owner)

    assert SupportAccess.objects.get().ended_by_name == "sara"


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR, Role.MANAGER])
def test_only_owners_end_the_access_of_others(
    client: Client, access: SupportAccess, workspace: Workspace, role: Role
) -> None:
    member = create_member(workspace, role)

    assert open_session(client, member).post(f"{PAGE}{access.pk}/end/").status_code == 403
    assert SupportAccess.objects.active().exists()


def test_the_owner_of_another_workspace_does_not_find_it(
    client: Client, access: SupportAccess, stranger: User
) -> None:
    answer = open_session(client, stranger).post(f"{PAGE}{access.pk}/end/")

    assert answer.status_code == 404
    assert SupportAccess.objects.active().exists()


@pytest.mark.parametrize(
    "flags", [{"is_staff": False}, {"is_staff": True}], ids=["no staff", "no permission"]
)
def test_others_cannot_open_a_workspace(
    client: Client, workspace: Workspace, flags: dict[str, bool]
) -> None:
    open_session(client, UserFactory(**flags))

    answer = client.post(PAGE, {"workspace": workspace.pk, "reason": REASON})

    assert answer.status_code == 403
    assert not SupportAccess.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 301},
        {"reason": "a\u202eb"},
        {"workspace": ""},
        {"workspace": "0"},
        {"workspace": "9" * 30},
        {"workspace": "x"},
    ],
)
def test_invalid_values_are_refused(
    page: Client, workspace: Workspace, change: dict[str, str]
) -> None:
    form = {"workspace": workspace.pk, "reason": REASON} | change

    assert page.post(PAGE, form).status_code == 400
    assert not SupportAccess.objects.exists()


def test_a_second_access_to_the_same_workspace_is_refused(
    page: Client, access: SupportAccess, workspace: Workspace
) -> None:
    answer = page.post(PAGE, {"workspace": workspace.pk, "reason": REASON})

    assert answer.status_code == 400
    assert b"You already have access" in answer.content


def test_a_member_needs_none(workspace: Workspace, staff: User) -> None:
    workspace.memberships.create(user=staff, role=Role.READER)

    with pytest.raises(ValidationError, match="You are a member of"):
        open_access(workspace, by=staff, reason=REASON)


def test_the_second_factor_of_the_workspace_is_required_of_support(
    page: Client, access: SupportAccess, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(requires_second_factor=True)

    assert page.get("/w/contoso/")["Location"] == "/account/second-factor/"


# --- guards ---------------------------------------------------------------------------------


INSERT = (
    "INSERT INTO support_accesses (workspace_id, user_id, user_name, reason, created_at, expires_at)"
    " VALUES (%(workspace)s, %(user)s, 'forged', {reason}, now() - interval '1 year', {until})"
)


def attack(statement: str, **params: Any) -> None:
    """Run a statement.

    Raises:
        IntegrityError: a guard refuses it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)


@pytest.mark.parametrize(
    ("reason", "until"),
    [
        ("''", "now() + interval '1 hour'"),
        ("'  '", "now() + interval '1 hour'"),
        ("'x'", "now() + interval '25 hours'"),
        ("'x'", "now() - interval '1 hour'"),
    ],
)
def test_raw_sql_gives_no_access_without_reason_or_beyond_a_day(
    workspace: Workspace, staff: User, reason: str, until: str
) -> None:
    with pytest.raises(IntegrityError):
        attack(INSERT.format(reason=reason, until=until), workspace=workspace.pk, user=staff.pk)


def test_raw_sql_cannot_forge_name_and_time(workspace: Workspace, staff: User) -> None:
    statement = INSERT.format(reason="'x'", until="now() + interval '1 hour'")

    attack(statement, workspace=workspace.pk, user=staff.pk)

    access = SupportAccess.objects.get()
    assert access.user_name == "sara"
    assert access.expires_at - access.created_at <= dt.timedelta(hours=1)


@pytest.mark.parametrize("flags", [{"is_staff": False}, {"is_staff": True, "is_active": False}])
def test_raw_sql_gives_access_to_active_staff_only(
    workspace: Workspace, flags: dict[str, bool]
) -> None:
    statement = INSERT.format(reason="'x'", until="now() + interval '1 hour'")

    with pytest.raises(IntegrityError, match="only active staff"):
        attack(statement, workspace=workspace.pk, user=UserFactory(**flags).pk)


@pytest.mark.parametrize(
    "change",
    [
        "expires_at = expires_at + interval '1 hour'",
        "reason = 'another'",
        "user_name = 'another'",
        "created_at = now() + interval '1 minute'",
        "user_id = %(other)s",
        "workspace_id = %(elsewhere)s",
        "ended_at = now()",
        "ended_at = now(), ended_by_id = %(other)s",
        "ended_by_name = 'owen'",
    ],
)
def test_raw_sql_changes_nothing(access: SupportAccess, stranger: User, change: str) -> None:
    other = UserFactory(is_staff=True)
    elsewhere = Workspace.objects.get(slug="elsewhere")

    with pytest.raises(IntegrityError):
        attack(f"UPDATE support_accesses SET {change}", other=other.pk, elsewhere=elsewhere.pk)


def test_raw_sql_does_not_open_it_again(access: SupportAccess, staff: User) -> None:
    end_access(access, by=staff)

    with pytest.raises(IntegrityError, match="cannot be changed"):
        attack("UPDATE support_accesses SET ended_at = NULL, ended_by_id = NULL")


def test_raw_sql_removes_nothing(access: SupportAccess) -> None:
    with pytest.raises(IntegrityError, match="never deleted"):
        attack("DELETE FROM support_accesses")


def test_a_deleted_account_leaves_its_name(access: SupportAccess, staff: User) -> None:
    staff.delete()

    kept = SupportAccess.objects.get()
    assert (kept.user, kept.user_name) == (None, "sara")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM support_accesses",
        "TRUNCATE support_accesses",
        "UPDATE support_accesses SET expires_at = expires_at + interval '1 hour'",
        "ALTER TABLE support_accesses DISABLE TRIGGER ALL",
        "DROP TRIGGER support_accesses_guard ON support_accesses",
    ],
)
def test_the_role_of_the_application_cannot_do_it_either(
    app_role: str, access: SupportAccess, statement: str
) -> None:
    with psycopg.connect(app_role, autocommit=True) as session, pytest.raises(psycopg.Error):
        session.execute(statement)

    assert SupportAccess.objects.active().get() == access
