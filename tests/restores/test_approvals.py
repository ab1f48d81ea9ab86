"""Approvals that hold: the rule of the preview, qualified approvers, expiry, and races."""

from __future__ import annotations

import datetime as dt
import queue
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.access_tokens.services import create_personal_token
from accounts.tokens import authenticate
from operations.models import OperationRun
from providers.models import Access, ProviderConnection
from restores import services
from restores.closing import end_expired_previews
from restores.models import RestoreRun, RestoreStatus
from restores.previewing import finish_preview
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import ROLE_CAPABILITIES, Capability, Role
from tenancy.services import remove_member
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import MembershipFactory, UserFactory, create_member
from tests.support.factories.accounts import create_service_token
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import RestoreItemFactory, RestoreRunFactory, create_restore
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

EXECUTE = "status = 'executing', is_dry_run = false, executed_at = now()"
APPROVE = "approved_by_id = %s, approved_at = now()"


def change(row: Any, assignment: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {assignment} WHERE id = %s", [*values, row.pk]
        )


def require_approval(workspace: Workspace) -> None:
    workspace.restores_need_approval = True
    workspace.save()


def drop_rule(workspace: Workspace) -> None:
    """Switch the rule off as if every check of the switch had failed."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE workspaces DISABLE TRIGGER USER")
        cursor.execute("UPDATE workspaces SET restores_need_approval = false")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE workspaces ENABLE TRIGGER USER")
    workspace.refresh_from_db()


@pytest.fixture
def requester(workspace: Workspace) -> User:
    return create_member(workspace, Role.MANAGER, username="ruth")


@pytest.fixture
def writable(tenant: Tenant) -> ProviderConnection:
    connection: ProviderConnection = ProviderConnectionFactory(
        tenant=tenant, access=Access.READ_WRITE, is_default=True
    )
    return connection


@pytest.fixture
def restore(writable: ProviderConnection, requester: User) -> RestoreRun:
    """A previewed restore in a workspace that requires an approval."""
    require_approval(writable.workspace)
    return create_restore(writable.tenant, requested_by=requester)


def fresh(restore: RestoreRun) -> RestoreRun:
    return RestoreRun.objects.with_scope().get(pk=restore.pk)


def approve(restore: RestoreRun, by: User) -> None:
    current = fresh(restore)
    services.approve(current, by=by, decision_digest=services.decision_digest_of(current))


def execute(restore: RestoreRun, by: User) -> OperationRun:
    return services.execute(
        fresh(restore),
        by=by,
        decision_digest=services.decision_digest_of(restore),
        tenant_name=restore.tenant.name,
    ).run


def refusal(call: Callable[[], object]) -> str:
    """Return the message with which a service refuses, or nothing."""
    try:
        call()
    except ValidationError as error:
        return str(error.messages[0])
    return ""


# --- the rule of the preview ----------------------------------------------------------------------


def test_a_restore_keeps_the_rule_of_its_preview(restore: RestoreRun, requester: User) -> None:
    drop_rule(restore.workspace)

    assert "second person must approve" in refusal(lambda: execute(restore, requester))
    with pytest.raises(DatabaseError, match="it is not approved"):
        change(restore, EXECUTE)
    with pytest.raises(DatabaseError, match=r"approval rule.* cannot be changed"):
        change(restore, "approval_required = false")


def test_the_rule_is_that_of_the_end_of_the_preview(tenant: Tenant, requester: User) -> None:
    restore = RestoreRunFactory(backup_set__schedule__tenant=tenant, requested_by=requester)
    RestoreItemFactory(restore=restore)
    require_approval(tenant.workspace)
    finish_preview(restore)
    drop_rule(tenant.workspace)

    assert fresh(restore).approval_required


def test_a_rule_that_is_switched_on_applies_to_restores_in_preview(
    writable: ProviderConnection, requester: User, manager: User
) -> None:
    restore = create_restore(writable.tenant, requested_by=requester)
    require_approval(writable.workspace)

    assert "second person must approve" in refusal(lambda: execute(restore, requester))
    with pytest.raises(DatabaseError, match="it is not approved"):
        change(restore, EXECUTE)
    approve(restore, manager)
    assert execute(restore, requester).is_active


def test_a_workspace_without_the_rule_needs_no_approval(
    writable: ProviderConnection, requester: User
) -> None:
    assert execute(create_restore(writable.tenant, requested_by=requester), requester).is_active


@pytest.mark.parametrize(
    "columns",
    [
        {"status": RestoreStatus.PREVIEWED},
        {"approved_at": "2026-01-01T00:00Z"},
        {"preview_expires_at": "2099-01-01T00:00Z"},
        {"approval_expires_at": "2099-01-01T00:00Z"},
    ],
    ids=str,
)
def test_a_restore_begins_with_its_preview(tenant: Tenant, columns: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match="begins with its preview"):
        RestoreRunFactory(backup_set__schedule__tenant=tenant, **columns)


# --- qualified approvers --------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_who_may_approve_is_the_same_in_the_database(restore: RestoreRun, role: Role) -> None:
    member = create_member(restore.workspace, role)
    try:
        change(restore, APPROVE, member.pk)
    except IntegrityError:
        is_accepted = False
    else:
        is_accepted = True

    assert is_accepted == (Capability.RESTORE in ROLE_CAPABILITIES[role])


def test_an_approval_without_a_qualified_approver_is_refused(restore: RestoreRun) -> None:
    inactive = create_member(restore.workspace, Role.OWNER, is_active=False)
    elsewhere = MembershipFactory(role=Role.OWNER).user

    for assignment, *values in (
        ("approved_at = now()",),
        (APPROVE, inactive.pk),
        (APPROVE, elsewhere.pk),
        (APPROVE, UserFactory().pk),
        ("approved_by_id = requested_by_id, approved_at = now()",),
    ):
        with pytest.raises(DatabaseError, match=r"only another member|second person"):
            change(restore, assignment, *values)
    assert fresh(restore).approved_at is None


def test_a_service_account_and_its_creator_do_not_approve_for_each_other(
    writable: ProviderConnection, owner: User, manager: User
) -> None:
    """The creator has seen the token: a restore that it requested would have no second person."""
    require_approval(writable.workspace)
    new = create_service_token(writable.workspace, by=owner)
    robot, person = new.user, create_member(writable.workspace, Role.OWNER)
    assert robot
    Membership.objects.update(role_since=Now() - dt.timedelta(days=2))
    Membership.objects.filter(user=robot).update(role=Role.MANAGER)
    requested = create_restore(writable.tenant, requested_by=robot)

    assert "You created the token" in refusal(lambda: approve(requested, owner))
    with pytest.raises(DatabaseError, match="its approver created the token"):
        change(requested, APPROVE, owner.pk)
    assert requested not in RestoreRun.objects.waiting_for(owner)
    assert requested in RestoreRun.objects.waiting_for(person)
    approve(requested, person)

    of_person = create_restore(writable.tenant, requested_by=manager)
    assert refusal(lambda: approve(of_person, robot))
    with pytest.raises(DatabaseError, match="only another member"):
        change(of_person, APPROVE, robot.pk)
    approve(of_person, owner)
    assert "another person must execute" in refusal(lambda: execute(of_person, robot))


def test_a_token_of_a_qualified_person_does_not_approve(restore: RestoreRun, owner: User) -> None:
    new = create_personal_token(owner, restore.workspace, name="Laptop", role=Role.MANAGER, days=7)
    limited = authenticate(f"Bearer {new.secret}", None).user

    assert "access token can't approve" in refusal(lambda: approve(restore, limited))
    approve(restore, owner)


def test_an_approval_never_changes(restore: RestoreRun, manager: User, owner: User) -> None:
    approve(restore, manager)

    for assignment, *values in (
        ("approved_at = NULL",),
        ("approved_at = NULL, approved_by_id = NULL",),
        ("approved_at = now() + interval '1 day'",),
        ("approved_by_id = %s", owner.pk),
        ("approval_expires_at = now() + interval '1 year'",),
        ("approval_expires_at = NULL",),
        ("preview_expires_at = NULL",),
        ("requested_by_id = %s", owner.pk),
    ):
        with pytest.raises(DatabaseError, match=r"cannot be changed|second person"):
            change(restore, assignment, *values)


def test_a_requester_is_not_exchanged_before_an_approval(
    restore: RestoreRun, requester: User, manager: User
) -> None:
    with pytest.raises(DatabaseError, match=r"requester.* cannot be changed"):
        change(restore, "requested_by_id = %s", manager.pk)
    change(restore, "requested_by_id = NULL")
    with pytest.raises(DatabaseError, match="only another member"):
        change(restore, APPROVE, requester.pk)
    assert "was deleted" in refusal(lambda: approve(restore, manager))


def test_a_former_manager_cannot_approve(restore: RestoreRun, manager: User) -> None:
    Membership.objects.filter(user=manager).update(role=Role.OPERATOR)

    assert "role doesn't allow" in refusal(lambda: approve(restore, manager))


@pytest.mark.parametrize(
    "lapse",
    [
        lambda user: Membership.objects.filter(user=user).delete(),
        lambda user: Membership.objects.filter(user=user).update(role=Role.OPERATOR),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda user: user.delete(),
    ],
    ids=["removed", "demoted", "deactivated", "deleted"],
)
def test_executing_checks_the_approver_again(
    restore: RestoreRun, requester: User, manager: User, client: Client, lapse: Any
) -> None:
    approve(restore, manager)
    lapse(manager)

    assert "can no longer approve" in refusal(lambda: execute(restore, requester))
    with pytest.raises(DatabaseError, match="its approver can no longer approve it"):
        change(restore, EXECUTE)
    page = open_session(client, requester).get(restore.get_absolute_url()).content.decode()
    assert "can no longer approve restores" in page
    assert fresh(restore).is_previewed


def test_the_account_of_the_requester_is_deleted_after_the_approval(
    restore: RestoreRun, requester: User, manager: User, owner: User
) -> None:
    approve(restore, manager)
    requester.delete()

    assert "requested this restore was deleted" in refusal(lambda: execute(restore, owner))
    with pytest.raises(DatabaseError, match="its approver can no longer approve it"):
        change(restore, EXECUTE)


# --- expiry ---------------------------------------------------------------------------------------


def test_an_expired_preview_is_neither_approved_nor_executed(
    writable: ProviderConnection, requester: User, manager: User, client: Client
) -> None:
    restore = create_restore(
        writable.tenant, requested_by=requester, expires_in=dt.timedelta(seconds=-1)
    )
    page = open_session(client, requester).get(restore.get_absolute_url()).content.decode()

    assert "The preview has expired." in page
    assert "The preview has expired" in refusal(lambda: execute(restore, requester))
    assert "The preview has expired" in refusal(lambda: approve(restore, manager))
    for assignment, *values in ((EXECUTE,), (APPROVE, manager.pk)):
        with pytest.raises(DatabaseError, match="its preview has expired"):
            change(restore, assignment, *values)


def test_an_expired_approval_does_not_execute(
    restore: RestoreRun, requester: User, manager: User, settings: Settings, client: Client
) -> None:
    settings.RESTORE_APPROVAL_HOURS = 0
    approve(restore, manager)
    page = open_session(client, requester).get(restore.get_absolute_url()).content.decode()

    assert "The approval has expired" in page
    assert "The approval has expired" in refusal(lambda: execute(restore, requester))
    with pytest.raises(DatabaseError, match="its approval has expired"):
        change(restore, EXECUTE)


def test_the_settings_decide_how_long_previews_and_approvals_hold(
    tenant: Tenant, requester: User, manager: User, settings: Settings
) -> None:
    settings.RESTORE_PREVIEW_HOURS, settings.RESTORE_APPROVAL_HOURS = 5, 2
    restore = RestoreRunFactory(backup_set__schedule__tenant=tenant, requested_by=requester)
    RestoreItemFactory(restore=restore)
    finish_preview(restore)
    approve(restore, manager)

    times = RestoreRun.objects.filter(pk=restore.pk).values_list(
        F("preview_expires_at") - F("previewed_at"), F("approval_expires_at") - F("approved_at")
    )
    assert times.get() == (dt.timedelta(hours=5), dt.timedelta(hours=2))


@pytest.mark.parametrize("name", ["RESTORE_PREVIEW_HOURS", "RESTORE_APPROVAL_HOURS"])
@pytest.mark.parametrize("hours", [0, -1, 10**6])
def test_a_setting_that_never_or_always_expires_is_refused(
    settings: Settings, name: str, hours: int
) -> None:
    setattr(settings, name, hours)

    assert "restores.E001" in {message.id for message in run_checks()}


def test_a_preview_of_a_worker_of_an_earlier_version_expires(tenant: Tenant) -> None:
    restore = RestoreRunFactory(backup_set__schedule__tenant=tenant)
    change(restore, "status = 'previewed', preview_digest = 'd', previewed_at = now()")

    restore.refresh_from_db()
    assert restore.preview_expires_at is not None


def test_an_expired_restore_ends_and_can_be_previewed_again(
    writable: ProviderConnection, requester: User, client: Client
) -> None:
    past = dt.timedelta(seconds=-1)
    restore = create_restore(writable.tenant, requested_by=requester, expires_in=past)
    current = create_restore(writable.tenant, requested_by=requester)

    assert end_expired_previews() == 1

    assert fresh(restore).status == RestoreStatus.ENDED
    assert fresh(current).is_previewed
    page = open_session(client, requester)
    text = page.get(restore.get_absolute_url()).content.decode()
    assert "Its preview had expired." in text
    address = reverse("restore_retry", args=[restore.workspace.slug, restore.pk])
    assert address in text
    again = page.post(address)
    retry = RestoreRun.objects.get(retry_of=restore)
    assert again["Location"] == retry.get_absolute_url()
    assert list(retry.items.values_list("name")) == list(restore.items.values_list("name"))


def test_a_restore_that_was_discarded_in_time_did_not_expire(
    writable: ProviderConnection, requester: User, client: Client
) -> None:
    restore = create_restore(writable.tenant, requested_by=requester)
    services.discard(restore)

    page = open_session(client, requester).get(restore.get_absolute_url()).content.decode()

    assert "ended without changing anything" in page
    assert "had expired" not in page


# --- races ----------------------------------------------------------------------------------------


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_an_execution_waits_for_the_removal_of_the_approver(
    restore: RestoreRun, requester: User, manager: User, owner: User
) -> None:
    approve(restore, manager)
    pids: queue.Queue[int] = queue.Queue()

    def attempt() -> str:
        pids.put(backend_pid())
        return refusal(lambda: execute(restore, requester))

    with racing_threads(1) as threads:
        with transaction.atomic():
            remove_member(Membership.objects.get(user=manager), by=owner, reason="Left")
            waiting = threads.submit(attempt)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        assert "can no longer approve" in waiting.result(timeout=60)

    assert fresh(restore).is_previewed


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_removal_of_the_approver_waits_for_an_execution(
    restore: RestoreRun, requester: User, manager: User, owner: User
) -> None:
    approve(restore, manager)
    pids: queue.Queue[int] = queue.Queue()

    def remove() -> None:
        pids.put(backend_pid())
        remove_member(Membership.objects.get(user=manager), by=owner, reason="Left")

    with racing_threads(1) as threads:
        with transaction.atomic():
            execute(restore, requester)
            waiting = threads.submit(remove)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        waiting.result(timeout=60)

    assert fresh(restore).status == RestoreStatus.EXECUTING
    assert not Membership.objects.filter(user=manager).exists()


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_at_the_same_time_one_is_recorded(
    restore: RestoreRun, manager: User, owner: User
) -> None:
    with racing_threads(2) as threads:
        threads.race([lambda: approve(restore, manager), lambda: approve(restore, owner)])

    approved = fresh(restore)
    assert approved.approved_by_id in (manager.pk, owner.pk)
    assert approved.approval_expires_at is not None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_an_expiring_preview_is_executed_or_ended_but_not_both(
    writable: ProviderConnection, requester: User
) -> None:
    restore = create_restore(
        writable.tenant, requested_by=requester, expires_in=dt.timedelta(milliseconds=300)
    )

    def end() -> str:
        while not end_expired_previews() and fresh(restore).is_previewed:
            pass
        return ""

    def start() -> str:
        message = "ended before the first attempt"
        while fresh(restore).is_previewed:
            if not (message := refusal(lambda: execute(restore, requester))):
                return "executed"
        return message

    with racing_threads(2) as threads:
        _, result = threads.race([end, start])

    ended = fresh(restore)
    assert (ended.status == RestoreStatus.EXECUTING) == (result == "executed")


def test_a_second_approval_says_who_approved_it(
    client: Client, restore: RestoreRun, manager: User, owner: User
) -> None:
    approve(restore, manager)
    open_session(client, owner)
    digest = services.decision_digest_of(fresh(restore))

    address = f"{restore.get_absolute_url()}approve/"
    text = client.post(address, {"decision_digest": digest}, follow=True).content.decode()

    assert f"The restore was already approved by {manager}," in text
    assert "Restore approved." not in text
    assert fresh(restore).approved_by == manager
