"""The load of a campaign: what people and ticks do with many tenants, through the same services."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import Error, connection

from backups import services as backups
from backups.models import BackupSchedule
from backups.requests import run_now_request
from dev.chaos.restores import RestoreCases
from dev.graph_sandbox.control import SandboxControl
from inventory.services import start_workspace_sync, sync_request
from operations.dispatch import RunRequest
from operations.maintenance.prune import dispatch_prune
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from providers.clouds import Cloud
from providers.models import Access, ProviderConnection
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role

TENANTS, RESTORE_TENANTS, FAN_OUT_TENANTS = 16, 6, 3
SIZES = {"named_location": 1, "compliance": 1, "groups": 2, "role_definitions": 2}
#: Milliseconds after each item of an export; after a long one, the run outlasts a soft shutdown.
LONG_PAUSE = 1500
PAUSES = (20, 20, 20, 50, 100, LONG_PAUSE)
#: An export that does not notice a cancel request before it is ended for it.
STUBBORN_PAUSE = 7000
SYNCS = (OperationRunType.DIRECTORY_GROUPS_SYNC, OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC)
CRONS = ("* * * * *", "*/2 * * * *", "1-59/2 * * * *")
#: The age of the runs that retention removes, and how many each call adds.
PAST = dt.timedelta(days=800)
PAST_RUNS = 30
#: The number of active runs from which no other is requested.
MAX_ACTIVE = 50
#: What a person sees as a normal refusal.
REFUSALS = (RunNoLongerActive, NotRetryable, ValidationError, Blocked)


@dataclass
class World:
    """The workspaces of the campaign with their tenants, schedules and users."""

    workspace: Workspace
    fan_out_workspace: Workspace
    past_workspace: Workspace
    user: User
    approver: User
    tenants: list[Tenant]
    restore_tenants: list[Tenant]
    schedules: list[BackupSchedule]

    def external_ids(self) -> dict[int, str]:
        """Return the tenant ids of Microsoft by the ids of the tenants."""
        return {tenant.pk: str(tenant.external_id) for tenant in Tenant.objects.all()}


def make_world(graph: SandboxControl) -> World:
    """Create tenants of the Graph sandbox, most of them with a schedule for every minute."""
    user = User.objects.create(username="chaos", email="chaos@example.com")
    approver = User.objects.create(username="approver", email="approver@example.com")
    workspaces = []
    for name in ("Chaos", "Fan-out", "Past"):
        workspace = Workspace.objects.create(name=name, slug=name.lower())
        for member in (user, approver):
            Membership.objects.create(workspace=workspace, user=member, role=Role.OWNER)
        workspaces.append(workspace)
    main, fan_out, past = workspaces
    tenants = [_create_tenant(main, graph, f"Tenant {n}") for n in range(TENANTS)]
    restored = [_create_tenant(main, graph, f"Restored {n}") for n in range(RESTORE_TENANTS)]
    for number in range(FAN_OUT_TENANTS):
        _create_tenant(fan_out, graph, f"Fan-out {number}")
    _create_tenant(past, graph, "Past")
    return World(
        workspace=main,
        fan_out_workspace=fan_out,
        past_workspace=past,
        user=user,
        approver=approver,
        tenants=tenants,
        restore_tenants=restored,
        schedules=[_create_schedule(tenant) for tenant in tenants],
    )


def _create_tenant(workspace: Workspace, graph: SandboxControl, name: str) -> Tenant:
    tenant = Tenant.objects.create(workspace=workspace, name=name, external_id=uuid.uuid4())
    secret, client_id = f"chaos~{uuid.uuid4().hex}", uuid.uuid4()
    graph.add_tenant(tenant.external_id, client_id, secret, sizes=SIZES)
    provider_connection = ProviderConnection.objects.create(
        workspace=workspace,
        tenant=tenant,
        name="Graph sandbox",
        cloud=Cloud.SANDBOX,
        client_id=client_id,
        is_default=True,
        access=Access.READ_WRITE,
    )
    provider_connection.set_credential(secret)
    return tenant


def _create_schedule(tenant: Tenant) -> BackupSchedule:
    schedule = BackupSchedule(
        workspace=tenant.workspace,
        tenant=tenant,
        name="Every minute",
        cron=CRONS[0],
        kinds=["compliance"],
        misfire_grace=dt.timedelta(minutes=30),
    )
    backups.save(schedule)
    return BackupSchedule.objects.with_scope().get(pk=schedule.pk)


@dataclass(frozen=True)
class Change:
    """A change of a schedule that was made between two times; `cron` is empty while it is paused.

    `is_certain` is False if an error left it open whether it was made.
    """

    schedule_id: int
    began_at: dt.datetime
    ended_at: dt.datetime
    cron: str
    is_certain: bool = True


@dataclass
class Requests:
    """What the load has requested, by several threads."""

    created_ids: set[int] = field(default_factory=set)
    past_ids: set[int] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    #: Errors that no person should see.
    errors: list[str] = field(default_factory=list)


class Load:
    """Requests runs from several threads until it is stopped, and records each request."""

    def __init__(self, world: World, graph: SandboxControl, *, seed: int, rate: float) -> None:
        self.requests = Requests()
        self.restores = RestoreCases(world.restore_tenants, world.user, graph)
        self._world = world
        self._crons = {schedule.pk: CRONS[0] for schedule in world.schedules}
        self._stubborn_ids: set[int] = set()
        self._stopped = threading.Event()
        self._service = OperationRunService()
        for schedule in world.schedules:
            created_at = schedule.created_at
            self.requests.changes.append(
                Change(schedule.pk, created_at, dt.datetime.now(dt.UTC), CRONS[0])
            )
        threads = 3
        work: list[tuple[Callable[[random.Random], None], float]] = [
            *[(self._dispatch, threads / rate)] * threads,
            (self._act, 0.35),
            (lambda _: self._restore(), 0.3),
        ]
        self._threads = [
            threading.Thread(
                target=self._repeat,
                args=[action, pause, random.Random(seed * 100 + number)],  # noqa: S311
                name=f"load {number}",
            )
            for number, (action, pause) in enumerate(work)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def pause_schedules(self) -> None:
        """Pause every schedule, so that no more runs start and the campaign can end."""
        for schedule in self._world.schedules:
            for _ in range(50):
                try:
                    self._change(
                        schedule, "", lambda stored: backups.pause(stored, self._world.user, "end")
                    )
                    break
                except Error:
                    connection.close()
                    time.sleep(0.5)

    def dispatch_burst(self, count: int, *, pause_ms: int = 50) -> None:
        """Request several exports at once."""
        chance = random.Random(count)  # noqa: S311 - the tenants only
        requests = [self._export(chance, pause_ms=pause_ms) for _ in range(count)]
        self._dispatch_all(requests)

    def _repeat(
        self, action: Callable[[random.Random], None], pause: float, chance: random.Random
    ) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            # What an outage delayed is requested after it, but not all at once.
            due = max(due + pause * chance.uniform(0.5, 1.5), time.monotonic() - 2)
            self._stopped.wait(max(0.0, due - time.monotonic()))
            try:
                action(chance)
            except REFUSALS as refusal:
                self.requests.results[f"refused: {type(refusal).__name__}"] += 1
            except Error as error:
                # A page would respond with 503.
                self.requests.results[f"unavailable: {type(error).__name__}"] += 1
                connection.close()
                time.sleep(0.2)
            except Exception as error:  # noqa: BLE001 - the campaign reports it
                self.requests.errors.append(f"{type(error).__name__}: {error}"[:300])
                connection.close()
        connection.close()

    # --- dispatch ---------------------------------------------------------------------------------

    def _dispatch(self, chance: random.Random) -> None:
        """Request a run, sometimes twice: the second request must lead to the run of the first.

        People wait while much is waiting, so that a slow machine has no longer queues than a fast one.
        """
        if OperationRun.objects.active().count() >= MAX_ACTIVE:
            return
        self._dispatch_all([self._request(chance)] * chance.choice((1, 1, 1, 2)))

    def _dispatch_all(self, requests: list[RunRequest]) -> None:
        for result in self._service.dispatch_many(requests):
            self.requests.created_ids.add(result.run.pk)
            if result.created:
                self.requests.results["runs requested"] += 1
            else:
                self.requests.results["deduplicated requests"] += 1

    def _request(self, chance: random.Random) -> RunRequest:
        share = chance.random()
        tenant = chance.choice(self._world.tenants)
        if share < 0.6:
            return self._export(chance, pause_ms=chance.choice(PAUSES))
        if share < 0.62:
            return sync_request(OperationRunType.INVENTORY_SYNC, tenant, by=self._world.user)
        if share < 0.85:
            return sync_request(chance.choice(SYNCS), tenant, by=self._world.user)
        return run_now_request(chance.choice(self._world.schedules), self._world.user)

    def _export(self, chance: random.Random, *, pause_ms: int) -> RunRequest:
        tenant = chance.choice(self._world.tenants)
        return RunRequest(
            type=OperationRunType.POLICY_EXPORT,
            workspace=tenant.workspace,
            tenant=tenant,
            by=self._world.user,
            inputs={"number": random.SystemRandom().randrange(10**12), "pause_ms": pause_ms},
        )

    # --- people -----------------------------------------------------------------------------------

    def _act(self, chance: random.Random) -> None:
        actions: list[tuple[float, Callable[[random.Random], None]]] = [
            (14, self._cancel),
            (4, self._start_stubborn),
            (8, self._retry),
            (10, self._acknowledge),
            (4, self._pause),
            (6, self._resume),
            (5, self._edit),
            (3, self._prune),
            (3, self._fan_out),
        ]
        (action,) = chance.choices(
            [action for _, action in actions], [weight for weight, _ in actions]
        )
        action(chance)
        self._cancel_stubborn()

    def _newest(self, **conditions: object) -> OperationRun | None:
        runs = OperationRun.objects.filter(workspace=self._world.workspace, **conditions)
        return runs.with_scope().newest_first().first()

    def _cancel(self, chance: random.Random) -> None:
        """Cancel a run; what is queued ends at once, so look for it right after a burst."""
        status = chance.choice((RunStatus.QUEUED, RunStatus.RUNNING))
        if run := self._newest(status=status, cancel_requested_at=None):
            self._service.request_cancel(run, by=self._world.user)
            self.requests.results[f"{status} runs cancelled"] += 1

    def _start_stubborn(self, chance: random.Random) -> None:
        """Request an export that does not notice a cancel request before it is ended for it."""
        (result,) = self._service.dispatch_many([self._export(chance, pause_ms=STUBBORN_PAUSE)])
        self.requests.created_ids.add(result.run.pk)
        self._stubborn_ids.add(result.run.pk)

    def _cancel_stubborn(self) -> None:
        """Cancel the stubborn exports that have started."""
        started = OperationRun.objects.filter(pk__in=self._stubborn_ids).exclude(
            status=RunStatus.QUEUED
        )
        for run in started.with_scope():
            self._stubborn_ids.discard(run.pk)
            self._service.request_cancel(run, by=self._world.user)
            self.requests.results["stubborn runs cancelled"] += 1

    def _retry(self, chance: random.Random) -> None:
        outcomes = (RunOutcome.FAILED, RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.CANCELLED)
        run = self._newest(outcome__in=outcomes, type=OperationRunType.POLICY_EXPORT, retries=None)
        if run:
            result = self._service.retry(run, by=self._world.user)
            self.requests.created_ids.add(result.run.pk)
            self.requests.results["runs retried"] += 1

    def _acknowledge(self, _: random.Random) -> None:
        attention = (RunOutcome.FAILED, RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.BLOCKED)
        if run := self._newest(outcome__in=attention, acknowledged_at=None):
            self._service.acknowledge(run, by=self._world.user)
            self.requests.results["runs acknowledged"] += 1

    def _change(
        self, schedule: BackupSchedule, cron: str, make: Callable[[BackupSchedule], object]
    ) -> None:
        """Change a schedule, and record between which times."""
        stored = BackupSchedule.objects.with_scope().get(pk=schedule.pk)
        began_at = dt.datetime.now(dt.UTC)
        is_certain = False
        try:
            make(stored)
            is_certain = True
        finally:
            ended_at = dt.datetime.now(dt.UTC)
            self.requests.changes.append(
                Change(schedule.pk, began_at, ended_at, cron, is_certain=is_certain)
            )

    def _pause(self, chance: random.Random) -> None:
        # Some schedules are never paused, so that slots follow each other.
        schedule = chance.choice(self._world.schedules[: TENANTS // 2])
        self._change(schedule, "", lambda stored: backups.pause(stored, self._world.user, "chaos"))
        self.requests.results["schedules paused"] += 1

    def _resume(self, _: random.Random) -> None:
        paused = BackupSchedule.objects.filter(
            paused_at__isnull=False, workspace=self._world.workspace, pk__in=self._crons
        )
        if schedule := paused.order_by("paused_at").first():
            cron = schedule.cron
            self._change(schedule, cron, lambda stored: backups.resume(stored, self._world.user))
            self.requests.results["schedules resumed"] += 1

    def _edit(self, chance: random.Random) -> None:
        schedule = chance.choice(self._world.schedules[: TENANTS // 2])
        cron = chance.choice(CRONS)
        is_paused = BackupSchedule.objects.get(pk=schedule.pk).is_paused

        def edit(stored: BackupSchedule) -> None:
            stored.cron = cron
            stored.retention_keep_sets = chance.randrange(5, 50)
            backups.save(stored)

        self._change(schedule, "" if is_paused else cron, edit)
        self.requests.results["schedules edited"] += 1

    def _prune(self, _: random.Random) -> None:
        """Add runs that are old enough to be removed, and start retention."""
        self.requests.past_ids.update(_create_past_runs(self._world.past_workspace))
        result = dispatch_prune(self._world.past_workspace, by=self._world.user)
        self.requests.created_ids.add(result.run.pk)
        self.requests.results["retention runs requested"] += 1

    def _fan_out(self, _: random.Random) -> None:
        result = start_workspace_sync(self._world.fan_out_workspace, by=self._world.user)
        self.requests.created_ids.add(result.run.pk)
        self.requests.results["workspace syncs requested"] += 1

    # --- restores ---------------------------------------------------------------------------------

    def _restore(self) -> None:
        self.requests.created_ids.update(self.restores.advance())


def _create_past_runs(workspace: Workspace) -> list[int]:
    """Store runs that succeeded long ago."""
    tenant = Tenant.objects.get(workspace=workspace)
    ended_at = dt.datetime.now(dt.UTC) - PAST
    runs = OperationRun.objects.bulk_create(
        OperationRun(
            workspace=workspace,
            tenant=tenant,
            initiator_name="Past",
            type=OperationRunType.DIRECTORY_GROUPS_SYNC,
            run_identity_hash=uuid.uuid4().hex * 2,
            status=RunStatus.COMPLETED,
            outcome=RunOutcome.SUCCEEDED,
            created_at=ended_at,
            started_at=ended_at,
            completed_at=ended_at,
        )
        for _ in range(PAST_RUNS)
    )
    return [run.pk for run in runs]
