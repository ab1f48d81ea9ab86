"""The load of a campaign: real operations of many tenants, dispatched as pages and ticks do."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass

from django.db import Error, close_old_connections, connection

from backups import services as backups
from backups.models import BackupSchedule
from backups.requests import run_now_request
from dev.graph_sandbox.control import SandboxControl
from inventory.services import sync_request
from operations.dispatch import RunRequest
from operations.services import OperationRunService
from operations.types import OperationRunType
from providers.clouds import Cloud
from providers.models import ProviderConnection
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role

TENANTS = 24
SIZES = {"named_location": 1, "compliance": 2, "groups": 4}
#: Milliseconds after each item of an export; after a long one, the run outlasts a soft shutdown.
LONG_PAUSE = 1500
PAUSES = (100, 100, 100, 100, LONG_PAUSE)
SYNCS = (OperationRunType.INVENTORY_SYNC, OperationRunType.DIRECTORY_GROUPS_SYNC)


@dataclass
class World:
    """The workspace of the campaign, its user, tenants and schedules."""

    workspace: Workspace
    user: User
    tenants: list[Tenant]
    schedules: list[BackupSchedule]


def make_world(graph: SandboxControl) -> World:
    """Create a workspace with tenants of the Graph sandbox, each with a schedule for every minute."""
    workspace = Workspace.objects.create(name="Chaos", slug="chaos")
    user = User.objects.create(username="chaos", email="chaos@example.com")
    Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
    tenants = [_create_tenant(workspace, graph, number) for number in range(TENANTS)]
    return World(workspace, user, tenants, [_create_schedule(tenant) for tenant in tenants])


def _create_tenant(workspace: Workspace, graph: SandboxControl, number: int) -> Tenant:
    tenant = Tenant.objects.create(
        workspace=workspace, name=f"Tenant {number}", external_id=uuid.uuid4()
    )
    secret, client_id = f"chaos~{uuid.uuid4().hex}", uuid.uuid4()
    graph.add_tenant(tenant.external_id, client_id, secret, sizes=SIZES)
    provider_connection = ProviderConnection.objects.create(
        workspace=workspace,
        tenant=tenant,
        name="Graph sandbox",
        cloud=Cloud.SANDBOX,
        client_id=client_id,
        is_default=True,
    )
    provider_connection.set_credential(secret)
    return tenant


def _create_schedule(tenant: Tenant) -> BackupSchedule:
    schedule = BackupSchedule(
        workspace=tenant.workspace,
        tenant=tenant,
        name="Every minute",
        cron="* * * * *",
        kinds=["compliance"],
        misfire_grace=dt.timedelta(minutes=30),
    )
    backups.save(schedule)
    return BackupSchedule.objects.with_scope().get(pk=schedule.pk)


class Load:
    """Dispatches from several threads until it is stopped, and records the id of every run."""

    def __init__(self, world: World, *, seed: int, rate: float, threads: int = 3) -> None:
        self.created_ids: set[int] = set()
        self.results: Counter[str] = Counter()
        self._world = world
        self._pause = threads / rate
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._dispatch_until_stopped, args=[random.Random(seed + n)])  # noqa: S311
            for n in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _dispatch_until_stopped(self, chance: random.Random) -> None:
        while not self._stopped.wait(self._pause * chance.uniform(0.5, 1.5)):
            try:
                self._dispatch(chance)
            except Error as error:
                # No run was created: a page would respond with 503.
                self.results[f"refused ({type(error).__name__})"] += 1
                connection.close()
                time.sleep(0.2)
        close_old_connections()
        connection.close()

    def _dispatch(self, chance: random.Random) -> None:
        close_old_connections()
        # Sometimes the same request twice: the second must lead to the run of the first.
        request = self._request(chance)
        requests = [request] * chance.choice((1, 1, 1, 2))
        for result in OperationRunService().dispatch_many(requests):
            self.created_ids.add(result.run.pk)
            if result.created:
                self.results["created"] += 1
            else:
                self.results["deduplicated"] += 1

    def _request(self, chance: random.Random) -> RunRequest:
        index = chance.randrange(len(self._world.tenants))
        tenant, user = self._world.tenants[index], self._world.user
        share = chance.random()
        if share < 0.5:
            return RunRequest(
                type=OperationRunType.POLICY_EXPORT,
                workspace=tenant.workspace,
                tenant=tenant,
                by=user,
                inputs={"number": chance.randrange(10**9), "pause_ms": chance.choice(PAUSES)},
            )
        if share < 0.8:
            return sync_request(chance.choice(SYNCS), tenant, by=user)
        return run_now_request(self._world.schedules[index], user)
