"""Of two requests of the same moment, the second says who has done it, and leaves no entry."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.access_tokens import services as tokens
from audit.models import AuditEntry
from backups import services as schedules
from notifications import endpoints
from operations.models import OperationRunEvent
from operations.services import OperationRunService
from restores import services as restores
from tenancy import services as tenants
from tenancy import support_access
from tenancy.models import Tenant
from tenancy.roles import Role
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import OperationRunFactory, TenantFactory, UserFactory, create_member
from tests.support.factories.accounts import create_token
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.notifications import create_webhook
from tests.support.factories.operations import create_queued_run, create_running_run
from tests.support.factories.restores import create_restore
from tests.support.sessions import open_session

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

REASON = "Migration"
#: The page of an action for the second request, the first one, and what the second one says.
Case = tuple[str, Callable[[Any], object], str]


def suspend(tenant: Tenant) -> Case:
    address = f"{tenant.get_absolute_url()}suspend/"
    return (
        address,
        lambda by: tenants.suspend(tenant, by=by, reason=REASON),
        "already suspended by fiona,",
    )


def archive(tenant: Tenant) -> Case:
    address = f"{tenant.get_absolute_url()}archive/"
    return (
        address,
        lambda by: tenants.archive(tenant, by=by, reason=REASON),
        "already archived by fiona,",
    )


def resume_tenant(tenant: Tenant) -> Case:
    tenants.suspend(tenant, by=UserFactory(), reason=REASON)
    address = f"{tenant.get_absolute_url()}resume/"
    return address, lambda by: tenants.resume(tenant, by=by), "already active by fiona,"


def pause(tenant: Tenant) -> Case:
    schedule = BackupScheduleFactory(tenant=tenant)
    address = f"{schedule.get_absolute_url()}pause/"
    return address, lambda by: schedules.pause(schedule, by), "already paused by fiona,"


def resume(tenant: Tenant) -> Case:
    schedule = BackupScheduleFactory(tenant=tenant)
    schedules.pause(schedule, UserFactory())
    address = f"{schedule.get_absolute_url()}resume/"
    return address, lambda by: schedules.resume(schedule, by), "already resumed by fiona,"


def delete(tenant: Tenant) -> Case:
    schedule = BackupScheduleFactory(tenant=tenant)
    address = f"{schedule.get_absolute_url()}delete/"
    return (
        address,
        lambda by: schedules.delete(schedule, by=by, reason=REASON),
        "already deleted by fiona,",
    )


def cancel_queued(tenant: Tenant) -> Case:
    run = create_queued_run(tenant)
    address = f"{run.get_absolute_url()}cancel/"
    return (
        address,
        lambda by: OperationRunService().request_cancel(run, by=by),
        "already cancelled by fiona,",
    )


def cancel_running(tenant: Tenant) -> Case:
    run = create_running_run(tenant)
    address = f"{run.get_absolute_url()}cancel/"
    return (
        address,
        lambda by: OperationRunService().request_cancel(run, by=by),
        "already requested by fiona,",
    )


def acknowledge(tenant: Tenant) -> Case:
    run = OperationRunFactory(tenant=tenant, failed=True)
    address = f"{run.get_absolute_url()}acknowledge/"
    return (
        address,
        lambda by: OperationRunService().acknowledge(run, by=by),
        "already acknowledged by fiona,",
    )


def pause_endpoint(tenant: Tenant) -> Case:
    endpoint = create_webhook(tenant).endpoint
    assert endpoint
    address = f"{endpoint.get_absolute_url()}pause/"
    return address, lambda _: endpoints.pause(endpoint), "The endpoint was already paused,"


def resume_endpoint(tenant: Tenant) -> Case:
    endpoint = create_webhook(tenant).endpoint
    assert endpoint
    endpoints.pause(endpoint)
    address = f"{endpoint.get_absolute_url()}resume/"
    return address, lambda _: endpoints.resume(endpoint), "The endpoint is not paused."


def end_support_access(tenant: Tenant) -> Case:
    staff = UserFactory(is_staff=True)
    access = support_access.open_access(tenant.workspace, by=staff, reason=REASON)
    address = f"/support-access/{access.pk}/end/"
    return (
        address,
        lambda by: support_access.end_access(access, by=by),
        "had already ended by fiona,",
    )


def revoke_token(tenant: Tenant) -> Case:
    token = create_token(create_member(tenant.workspace), tenant.workspace)
    address = f"/w/{tenant.workspace.slug}/tokens/{token.pk}/revoke/"
    return address, lambda by: tokens.revoke(token, by=by), "already revoked by fiona,"


def discard(tenant: Tenant) -> Case:
    restore = create_restore(tenant)
    address = f"{restore.get_absolute_url()}discard/"
    return address, lambda _: restores.discard(restore), "The restore had already ended,"


CASES = [
    *(suspend, archive, resume_tenant, pause, resume, delete, cancel_queued, cancel_running),
    *(discard, acknowledge, pause_endpoint, resume_endpoint, end_support_access, revoke_token),
]


@pytest.mark.parametrize("create", CASES, ids=lambda create: create.__name__)
def test_the_second_of_two_simultaneous_requests_says_who_did_it(
    create: Callable[[Tenant], Case],
) -> None:
    tenant = TenantFactory()
    first, second = (
        create_member(tenant.workspace, Role.OWNER, username=name) for name in ("fiona", "steven")
    )
    address, do, expected = create(tenant)
    client = open_session(Client(), second)
    pids: queue.Queue[int] = queue.Queue()

    def post() -> Any:
        pids.put(backend_pid())
        return client.post(address, {"reason": "Maintenance", "note": "", "assignee": ""})

    with racing_threads(1) as others:
        with transaction.atomic():
            do(first)
            request = others.submit(post)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        entries = AuditEntry.objects.count(), OperationRunEvent.objects.count()
        response = request.result(timeout=60)

    text = client.get(response["Location"]).content.decode()
    assert expected in text
    assert 'data-level="success"' not in text
    assert (AuditEntry.objects.count(), OperationRunEvent.objects.count()) == entries
