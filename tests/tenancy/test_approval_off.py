"""One owner alone cannot switch the approval of restores off at once."""

from __future__ import annotations

import datetime as dt
import queue
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from restores.tasks import close_restores
from tenancy.approval_off import (
    confirm_approval_off,
    request_approval_off,
    switch_off_due,
    withdraw_approval_off,
)
from tenancy.models import ApprovalOffRequest, Membership, User, Workspace
from tenancy.roles import Role
from tenancy.services import remove_member, save_workspace
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import UserFactory, create_approval_off_request, create_member
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

SETTINGS = "/w/contoso/settings/"
OFF = f"{SETTINGS}approval-off/"
DAY = dt.timedelta(days=1)
NOTICE = "no longer need an approval"


def run(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def is_on(workspace: Workspace) -> bool:
    return Workspace.objects.get(pk=workspace.pk).restores_need_approval


def fresh(request: ApprovalOffRequest) -> ApprovalOffRequest:
    return ApprovalOffRequest.objects.select_related("workspace").get(pk=request.pk)


@pytest.fixture
def second(workspace: Workspace) -> User:
    return create_member(workspace, Role.OWNER, username="oda")


@pytest.fixture
def request_of_two(workspace: Workspace, owner: User, second: User) -> ApprovalOffRequest:
    return create_approval_off_request(workspace, by=owner)


@pytest.fixture
def off_request(workspace: Workspace, owner: User) -> ApprovalOffRequest:
    """The request of the only owner."""
    return create_approval_off_request(workspace, by=owner)


def let_pass(time: dt.timedelta) -> None:
    """Make every request older, which its guards refuse."""
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("ALTER TABLE approval_off_requests DISABLE TRIGGER USER")
    run(
        "UPDATE approval_off_requests SET created_at = created_at - %s,"
        " effective_at = effective_at - %s",
        time,
        time,
    )
    run("ALTER TABLE approval_off_requests ENABLE TRIGGER USER")


# --- with two owners ------------------------------------------------------------------------------


def test_another_owner_confirms_the_request(
    request_of_two: ApprovalOffRequest, owner: User, second: User, workspace: Workspace
) -> None:
    assert request_of_two.effective_at is None
    with pytest.raises(ValidationError, match="Another owner must confirm"):
        confirm_approval_off(request_of_two, by=owner)
    assert is_on(workspace)

    confirm_approval_off(request_of_two, by=second)

    assert not is_on(workspace)
    ended = fresh(request_of_two)
    assert (ended.confirmed_by, ended.confirmed_by_name) == (second, "oda")
    assert ended.ended_at is not None
    with pytest.raises(ValidationError, match="has ended"):
        confirm_approval_off(request_of_two, by=second)


def test_the_pages_of_the_request(
    client: Client, workspace: Workspace, owner: User, second: User, reader: User
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    open_session(client, owner)
    page = client.get(SETTINGS).content.decode()
    assert "Another owner must confirm your request." in page
    checkbox = page.split('name="restores_need_approval"')[1].split(">")[0]
    assert "checked" in checkbox
    assert "disabled" in checkbox

    assert client.post(f"{OFF}new/")["Location"] == SETTINGS
    request = ApprovalOffRequest.objects.get()
    page = client.get(SETTINGS).content.decode()
    assert f"{OFF}{request.pk}/confirm/" not in page
    assert f"{OFF}{request.pk}/withdraw/" in page
    open_session(client, reader)
    for address in ("/w/contoso/", "/w/contoso/runs/", "/w/contoso/members/"):
        assert NOTICE in client.get(address).content.decode()
    open_session(client, second)
    assert f"{OFF}{request.pk}/confirm/" in client.get(SETTINGS).content.decode()

    client.post(f"{OFF}{request.pk}/confirm/")

    assert not is_on(workspace)
    page = client.get(SETTINGS).content.decode()
    assert "confirmed by <bdi>oda</bdi>" in page
    assert NOTICE not in page


def test_the_settings_form_does_not_switch_it_off(
    client: Client, workspace: Workspace, owner: User
) -> None:
    stale = Workspace.objects.get(pk=workspace.pk)
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    open_session(client, owner)

    client.post(SETTINGS, {"name": "Renamed", "timezone": "UTC"})
    stale.name = "From a page that was opened before"
    save_workspace(stale)

    assert is_on(workspace)
    assert Workspace.objects.get(pk=workspace.pk).name == stale.name


def test_the_admin_does_not_switch_it_off(client: Client, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    open_session(client, UserFactory(is_staff=True, is_superuser=True))

    form = {"name": "Renamed", "timezone": "UTC"}
    answer = client.post(f"/admin/tenancy/workspace/{workspace.pk}/change/", form)

    assert answer.status_code == 302
    assert Workspace.objects.get(pk=workspace.pk).name == "Renamed"
    assert is_on(workspace)


def test_any_owner_withdraws_the_request(
    request_of_two: ApprovalOffRequest, owner: User, second: User, workspace: Workspace
) -> None:
    withdraw_approval_off(request_of_two, by=second)

    assert fresh(request_of_two).withdrawn_by_name == "oda"
    with pytest.raises(ValidationError, match="has ended"):
        confirm_approval_off(request_of_two, by=second)
    assert is_on(workspace)
    assert request_approval_off(workspace, by=second).pk != request_of_two.pk


def test_a_second_open_request_and_one_without_the_rule_are_refused(
    request_of_two: ApprovalOffRequest, second: User, stranger: User, workspace: Workspace
) -> None:
    with pytest.raises(ValidationError, match="open request"):
        request_approval_off(workspace, by=second)
    with pytest.raises(ValidationError, match="need no approval"):
        request_approval_off(stranger.memberships.get().workspace, by=stranger)


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR, Role.MANAGER])
def test_only_owners_request_confirm_and_withdraw(
    request_of_two: ApprovalOffRequest, workspace: Workspace, role: Role
) -> None:
    member = create_member(workspace, role)
    for change in (confirm_approval_off, withdraw_approval_off):
        with pytest.raises(PermissionDenied):
            change(request_of_two, by=member)
    with pytest.raises(PermissionDenied):
        request_approval_off(workspace, by=member)


def test_a_request_of_a_deleted_account_is_withdrawn_not_confirmed(
    request_of_two: ApprovalOffRequest, owner: User, second: User, workspace: Workspace
) -> None:
    owner.delete()

    with pytest.raises(ValidationError, match="was deleted"):
        confirm_approval_off(fresh(request_of_two), by=second)
    withdraw_approval_off(fresh(request_of_two), by=second)
    assert is_on(workspace)
    assert fresh(request_of_two).requested_by_name == "owen"


# --- with one owner -------------------------------------------------------------------------------


def test_the_request_of_the_only_owner_takes_effect_after_a_day(
    off_request: ApprovalOffRequest, workspace: Workspace, client: Client, reader: User
) -> None:
    assert off_request.effective_at == off_request.created_at + DAY
    assert NOTICE in open_session(client, reader).get("/w/contoso/").content.decode()
    let_pass(DAY - dt.timedelta(minutes=5))
    assert switch_off_due() == 0
    assert is_on(workspace)

    let_pass(dt.timedelta(minutes=5))
    close_restores()

    assert not is_on(workspace)
    assert fresh(off_request).ended_at is not None
    assert switch_off_due() == 0


def test_a_second_owner_who_is_added_must_confirm(
    off_request: ApprovalOffRequest, workspace: Workspace
) -> None:
    second = create_member(workspace, Role.OWNER)
    let_pass(2 * DAY)

    assert switch_off_due() == 0
    with pytest.raises(IntegrityError, match="only a confirmed request"):
        run("UPDATE workspaces SET restores_need_approval = false")
    confirm_approval_off(fresh(off_request), by=second)

    assert not is_on(workspace)


def test_an_owner_who_removes_the_other_one_does_not_wait_less(
    request_of_two: ApprovalOffRequest, workspace: Workspace, owner: User, second: User
) -> None:
    let_pass(2 * DAY)
    remove_member(Membership.objects.get(user=second), by=owner, reason="Left")

    assert switch_off_due() == 0
    with pytest.raises(IntegrityError, match="only a confirmed request"):
        run("UPDATE workspaces SET restores_need_approval = false")
    withdraw_approval_off(fresh(request_of_two), by=owner)
    again = request_approval_off(workspace, by=owner)
    assert again.effective_at == again.created_at + DAY


# --- attacks --------------------------------------------------------------------------------------


ATTACKS = {
    "switch it off": "UPDATE workspaces SET restores_need_approval = false",
    "a request in the past": (
        "INSERT INTO approval_off_requests (workspace_id, requested_by_id, requested_by_name,"
        " effective_at, created_at) SELECT id, %(owner)s, 'owen', '2000-01-01', '2000-01-01'"
        " FROM workspaces; UPDATE workspaces SET restores_need_approval = false"
    ),
    "a confirmed request": (
        "INSERT INTO approval_off_requests (workspace_id, requested_by_id, requested_by_name,"
        " confirmed_by_id, confirmed_at) SELECT id, %(owner)s, 'owen', %(second)s, now()"
        " FROM workspaces"
    ),
    "a request of a manager": (
        "INSERT INTO approval_off_requests (workspace_id, requested_by_id, requested_by_name)"
        " SELECT id, %(manager)s, 'marc' FROM workspaces"
    ),
    "one's own confirmation": (
        "UPDATE approval_off_requests SET confirmed_by_id = requested_by_id, confirmed_at = now()"
    ),
    "the confirmation of a manager": (
        "UPDATE approval_off_requests SET confirmed_by_id = %(manager)s, confirmed_at = now()"
    ),
    "no confirmer": "UPDATE approval_off_requests SET confirmed_at = now()",
    "no time of confirmation": "UPDATE approval_off_requests SET confirmed_by_id = %(second)s",
    "another requester": "UPDATE approval_off_requests SET requested_by_id = %(second)s",
    "another name": "UPDATE approval_off_requests SET requested_by_name = 'Eve'",
    "an earlier effect": "UPDATE approval_off_requests SET effective_at = '2000-01-01'",
    "an earlier request": "UPDATE approval_off_requests SET created_at = '2000-01-01'",
    "end it": "UPDATE approval_off_requests SET ended_at = now()",
    "withdraw it without a name": "UPDATE approval_off_requests SET withdrawn_at = now()",
    "withdraw it as a manager": (
        "UPDATE approval_off_requests SET withdrawn_by_id = %(manager)s, withdrawn_at = now()"
    ),
    "delete it": "DELETE FROM approval_off_requests",
    "truncate it": "TRUNCATE approval_off_requests",
}


@pytest.fixture
def session(app_role: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application's role."""
    with psycopg.connect(app_role, autocommit=True) as session:
        yield session


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ATTACKS)
def test_the_role_of_the_application_cannot_switch_it_off(
    session: psycopg.Connection[Any],
    request_of_two: ApprovalOffRequest,
    second: User,
    manager: User,
    name: str,
) -> None:
    if name.startswith("a "):
        withdraw_approval_off(request_of_two, by=second)
    ids = {"owner": request_of_two.requested_by_id, "second": second.pk, "manager": manager.pk}

    def attack() -> None:
        with session.transaction():
            for statement in ATTACKS[name].split("; "):
                session.execute(statement, ids)

    with pytest.raises(psycopg.Error):
        attack()

    assert is_on(request_of_two.workspace)
    assert ApprovalOffRequest.objects.filter(confirmed_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_role_of_the_application_can_do_what_pages_do(
    session: psycopg.Connection[Any],
    request_of_two: ApprovalOffRequest,
    workspace: Workspace,
    second: User,
) -> None:
    """Otherwise the attacks would fail for want of privileges."""
    session.execute(
        "UPDATE approval_off_requests SET confirmed_by_id = %s, confirmed_at = now()", [second.pk]
    )
    session.execute("UPDATE workspaces SET restores_need_approval = false")

    assert not is_on(workspace)
    with pytest.raises(psycopg.Error, match="requires no approval"):
        session.execute(
            "INSERT INTO approval_off_requests (workspace_id, requested_by_id, requested_by_name)"
            " SELECT id, %s, 'oda' FROM workspaces",
            [second.pk],
        )


@pytest.mark.parametrize("role", Role)
def test_who_may_request_is_the_same_in_the_database(workspace: Workspace, role: Role) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    member = create_member(workspace, role)

    def insert() -> None:
        run(
            "INSERT INTO approval_off_requests (workspace_id, requested_by_id, requested_by_name)"
            " VALUES (%s, %s, 'x')",
            workspace.pk,
            member.pk,
        )

    if role == Role.OWNER:
        insert()
    else:
        with pytest.raises(DatabaseError, match="only an owner"):
            insert()


def test_an_ended_request_never_changes(
    request_of_two: ApprovalOffRequest, second: User, owner: User
) -> None:
    withdraw_approval_off(request_of_two, by=second)

    for assignment in ("ended_at = NULL", "withdrawn_at = NULL", "withdrawn_by_name = 'Eve'",
                       f"withdrawn_by_id = {owner.pk}",
                       f"confirmed_by_id = {second.pk}, confirmed_at = now()"):  # fmt: skip
        with pytest.raises(DatabaseError, match="cannot be changed"):
            run(f"UPDATE approval_off_requests SET {assignment}")


# --- races ----------------------------------------------------------------------------------------


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_confirmation_waits_for_the_removal_of_its_owner(
    request_of_two: ApprovalOffRequest, owner: User, second: User, workspace: Workspace
) -> None:
    pids: queue.Queue[int] = queue.Queue()

    def confirm() -> str:
        pids.put(backend_pid())
        try:
            confirm_approval_off(fresh(request_of_two), by=second)
        except PermissionDenied:
            return "refused"
        return "confirmed"

    with racing_threads(1) as threads:
        with transaction.atomic():
            remove_member(Membership.objects.get(user=second), by=owner, reason="Left")
            waiting = threads.submit(confirm)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        assert waiting.result(timeout=60) == "refused"

    assert is_on(workspace)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_request_is_confirmed_or_withdrawn_but_not_both(
    request_of_two: ApprovalOffRequest, owner: User, second: User, workspace: Workspace
) -> None:
    def attempt(change: Callable[..., None], by: User) -> bool:
        try:
            change(fresh(request_of_two), by=by)
        except ValidationError:
            return False
        return True

    with racing_threads(2) as threads:
        confirmed, withdrawn = threads.race(
            [
                lambda: attempt(confirm_approval_off, second),
                lambda: attempt(withdraw_approval_off, owner),
            ]
        )

    assert confirmed != withdrawn
    assert is_on(workspace) == withdrawn


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_requests_at_the_same_time_are_one(
    workspace: Workspace, owner: User, second: User
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)

    def attempt(by: User) -> str:
        try:
            request_approval_off(workspace, by=by)
        except ValidationError as error:
            return str(error.messages[0])
        return ""

    with racing_threads(2) as threads:
        messages = threads.race([lambda: attempt(owner), lambda: attempt(second)])

    assert sorted(map(bool, messages)) == [False, True]
    assert ApprovalOffRequest.objects.count() == 1
