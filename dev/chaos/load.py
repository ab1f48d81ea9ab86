"""Work for the workers: real operations of many tenants, dispatched as pages and the tick do it."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

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
#: Milliseconds after each item of an export; a long one is still at work when a soft stop is over.
LONG_PAUSE = 1500
PAUSES = (100, 100, 100, 100, LONG_PAUSE)
SYNCS = (OperationRunType.INVENTORY_SYNC, OperationRunType.DIRECTORY_GROUPS_SYNC)


@dataclass
class World:
    """What the campaign works on."""

    workspace: Workspace
    person: User
    tenants: list[Tenant]
    schedules: list[BackupSchedule] = field(default_factory=list)


def make_world(graph: SandboxControl) -> World:
    """A workspace of tenants that the Graph sandbox knows, each with a schedule of every minute."""
    workspace = Workspace.objects.create(name="Chaos", slug="chaos")
    person = User.objects.create(username="chaos", email="chaos@example.com")
    Membership.objects.create(workspace=workspace, user=person, role=Role.OWNER)
    world = World(workspace, person, [_tenant(workspace, graph, n) for n in range(TENANTS)])
    world.schedules = [_schedule(tenant) for tenant in world.tenants]
    return world


def _tenant(workspace: Workspace, graph: SandboxControl, number: int) -> Tenant:
    tenant = Tenant.objects.create(
        workspace=workspace, name=f"Tenant {number}", external_id=uuid.uuid4()
    )
    secret, client_id = f"chaos~{uuid.uuid4().hex}", uuid.uuid4()
    graph.add_tenant(tenant.external_id, client_id, secret, sizes=SIZES)
    reached = ProviderConnection.objects.create(
        workspace=workspace,
        tenant=tenant,
        name="Graph sandbox",
        cloud=Cloud.SANDBOX,
        client_id=client_id,
        is_default=True,
    )
    reached.set_credential(secret)
    return tenant


def _schedule(tenant: Tenant) -> BackupSchedule:
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
    """Dispatches from several threads until it is stopped; remembers every run it was promised."""

    def __init__(self, world: World, *, seed: int, rate: float, threads: int = 3) -> None:
        self.promised: set[int] = set()
        self.told: Counter[str] = Counter()
        self._world = world
        self._pause = threads / rate
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._dispatch_until_over, args=[random.Random(seed + n)])  # noqa: S311
            for n in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _dispatch_until_over(self, chance: random.Random) -> None:
        while not self._over.wait(self._pause * chance.uniform(0.5, 1.5)):
            try:
                self._dispatch(chance)
            except Error as error:
                # Nobody was promised anything: a page would have said 503.
                self.told[f"refused ({type(error).__name__})"] += 1
                connection.close()
                time.sleep(0.2)
        close_old_connections()
        connection.close()

    def _dispatch(self, chance: random.Random) -> None:
        close_old_connections()
        # Two of the same now and then: the second must join the first.
        request = self._request(chance)
        wanted = [request] * chance.choice((1, 1, 1, 2))
        for result in OperationRunService().dispatch_many(wanted):
            self.promised.add(result.run.pk)
            self.told["created" if result.created else "joined"] += 1

    def _request(self, chance: random.Random) -> RunRequest:
        place = chance.randrange(len(self._world.tenants))
        tenant, person = self._world.tenants[place], self._world.person
        kind = chance.random()
        if kind < 0.5:
            return RunRequest(
                type=OperationRunType.POLICY_EXPORT,
                workspace=tenant.workspace,
                tenant=tenant,
                by=person,
                inputs={"number": chance.randrange(10**9), "pause_ms": chance.choice(PAUSES)},
            )
        if kind < 0.8:
            return sync_request(chance.choice(SYNCS), tenant, by=person)
        return run_now_request(self._world.schedules[place], person)
