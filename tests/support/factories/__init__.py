"""Factories that create a valid object in one call, such as `OperationRunFactory(running=True)`."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any

import factory
from django.db import connection, transaction
from django.utils import timezone

from operations.models import OperationRun, OperationRunEvent, OperationRunItem
from operations.states import ItemOutcome, RunOutcome, RunStatus
from operations.types import OperationRunType
from tenancy.approval_off import request_approval_off
from tenancy.models import ApprovalOffRequest, Membership, Tenant, User, Workspace
from tenancy.roles import Role

PASSWORD = "correct horse battery staple"  # of every user of the tests


class UserFactory(factory.django.DjangoModelFactory[User]):
    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")

    class Meta:
        model = User
        skip_postgeneration_save = True

    @factory.post_generation
    def password(self: Any, create: bool, extracted: str | None, **_: Any) -> None:
        self.set_password(extracted or PASSWORD)
        if create:
            self.save()


class WorkspaceFactory(factory.django.DjangoModelFactory[Workspace]):
    name = factory.Sequence(lambda n: f"Workspace {n}")
    slug = factory.Sequence(lambda n: f"workspace-{n}")

    class Meta:
        model = Workspace


class TenantFactory(factory.django.DjangoModelFactory[Tenant]):
    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"Tenant {n}")
    external_id = factory.LazyFunction(uuid.uuid4)

    class Meta:
        model = Tenant


class MembershipFactory(factory.django.DjangoModelFactory[Membership]):
    user = factory.SubFactory(UserFactory)
    workspace = factory.SubFactory(WorkspaceFactory)
    role = Role.OPERATOR

    class Meta:
        model = Membership

    @classmethod
    def _create(cls, *args: Any, **kwargs: Any) -> Membership:
        """Create a member of many days, who may approve what others do."""
        membership: Membership = super()._create(*args, **kwargs)
        make_role_older(membership)
        return membership


def make_role_older(membership: Membership) -> None:
    """Let the member have the role for longer; a trigger sets the time, so it is left out."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL session_replication_role = replica;"
            "UPDATE memberships SET role_since = role_since - interval '30 days' WHERE id = %s;"
            "SET LOCAL session_replication_role = origin",
            [membership.pk],
        )


def create_member(workspace: Workspace, role: Role = Role.OPERATOR, **user: Any) -> User:
    """Create a user with this role in the workspace."""
    new_user: User = UserFactory(**user)
    MembershipFactory(user=new_user, workspace=workspace, role=role)
    return new_user


def create_approval_off_request(workspace: Workspace, by: User | None = None) -> ApprovalOffRequest:
    """Require approvals in the workspace, and request to switch them off."""
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    owner = by or create_member(workspace, Role.OWNER)
    return request_approval_off(workspace, by=owner)


def _completed_columns(outcome: RunOutcome, **counts: Any) -> dict[str, Any]:
    return {
        "status": RunStatus.COMPLETED,
        "outcome": outcome,
        "started_at": factory.LazyFunction(lambda: timezone.now() - dt.timedelta(minutes=2)),
        "completed_at": factory.LazyFunction(timezone.now),
        "summary_counts": counts,
    }


def failure(code: str, message: str, count: int = 1, **more: Any) -> dict[str, Any]:
    """Build an entry of `failure_summary`."""
    first_at = timezone.now().isoformat(timespec="seconds")
    return {
        "code": code,
        "message": message,
        "next_step": "",
        "count": count,
        "first_at": first_at,
        **more,
    }


class OperationRunFactory(factory.django.DjangoModelFactory[OperationRun]):
    """A queued run in the workspace of its tenant; traits set the other states."""

    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    initiator_name = "Schedule: Nightly"
    type = OperationRunType.BACKUP_SCHEDULE_RUN_NOW.value
    run_identity_hash = factory.Sequence(lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    next_publish_at = factory.LazyFunction(timezone.now)
    created_at = factory.LazyFunction(timezone.now)

    class Meta:
        model = OperationRun

    class Params:
        running = factory.Trait(
            status=RunStatus.RUNNING,
            started_at=factory.LazyFunction(timezone.now),
            heartbeat_at=factory.LazyFunction(timezone.now),
            worker="worker-1:42",
            summary_counts={
                "total": 40,
                "processed": 12,
                "succeeded": 11,
                "failed": 1,
                "meta": {"phase": "Reading compliance policies"},
            },
        )
        succeeded = factory.Trait(
            **_completed_columns(
                RunOutcome.SUCCEEDED, total=40, processed=40, succeeded=40, unchanged=38, created=2
            )
        )
        partial = factory.Trait(
            **_completed_columns(
                RunOutcome.PARTIALLY_SUCCEEDED,
                total=40,
                processed=40,
                succeeded=36,
                failed=3,
                skipped=1,
            ),
            failure_summary=[failure("service_unavailable", "Microsoft Graph did not answer.", 3)],
        )
        failed = factory.Trait(
            **_completed_columns(RunOutcome.FAILED, total=4, processed=4, failed=4),
            failure_summary=[failure("unexpected_error", "An error (reference 0123456789ab).", 4)],
        )
        blocked = factory.Trait(
            status=RunStatus.COMPLETED,
            outcome=RunOutcome.BLOCKED,
            completed_at=factory.LazyFunction(timezone.now),
            failure_summary=[failure("tenant_suspended", "The tenant is suspended.")],
        )
        cancelled = factory.Trait(
            **_completed_columns(RunOutcome.CANCELLED, total=40, processed=7, succeeded=7),
            cancel_requested_at=factory.LazyFunction(timezone.now),
        )


class OperationRunEventFactory(factory.django.DjangoModelFactory[OperationRunEvent]):
    run = factory.SubFactory(OperationRunFactory)
    sequence = factory.Sequence(lambda n: n + 1)
    kind = "note"
    message = "A note of the handler."

    class Meta:
        model = OperationRunEvent


class OperationRunItemFactory(factory.django.DjangoModelFactory[OperationRunItem]):
    """An item, also of an ended run, to which the product cannot add one."""

    run = factory.SubFactory(OperationRunFactory, running=True)
    key = factory.Sequence(lambda n: f"settings_catalog/{n}")
    label = factory.Sequence(lambda n: f"Policy {n}")
    outcome = ItemOutcome.SUCCEEDED

    class Meta:
        model = OperationRunItem

    @classmethod
    def _create(
        cls, model_class: type[OperationRunItem], *args: Any, **values: Any
    ) -> OperationRunItem:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            item = super()._create(model_class, *args, **values)
            cursor.execute("SET LOCAL session_replication_role = origin")
        return item
