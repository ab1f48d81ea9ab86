"""`manage.py demo_fleet`: create a second demo workspace with many tenants and a past of 30 nights."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from backups.models import BackupSchedule, RevisionReason
from backups.revisions import record_revisions
from backups.slots import next_slot
from backups.trend import count_days
from dev.demo import fleet
from dev.demo.fleet import FleetTenant, Story
from dev.demo.fleet_changes import record_past_changes
from dev.demo.fleet_history import History, Member
from dev.demo.fleet_incidents import conclude_past
from dev.demo.fleet_objects import FleetObject, objects_of, store_inventory, store_objects
from dev.demo.fleet_runs import store_runs
from dev.demo.scenario import MEMBERS
from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.resources import READ_PERMISSIONS
from providers.clouds import Cloud
from providers.models import ProviderConnection
from providers.probes import PROBES, ProbeResult, derive_finding
from tenancy.db import database_now
from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace

NAMESPACE = uuid.UUID("5b2f2c86-8d0b-4a59-a7bb-2f7f1c8d2f10")
#: Slots after this time before now are left to the first tick.
UNSETTLED = dt.timedelta(minutes=10)
PAUSE_REASON = "Being merged with another tenant"


class Command(BaseCommand):
    help = "Create the demo workspace “fleet”: many tenants, and their runs of the last nights."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--tenants",
            type=_number("tenants", fleet.FEWEST_TENANTS, fleet.MOST_TENANTS),
            default=fleet.DEFAULT_TENANTS,
        )
        parser.add_argument(
            "--nights",
            type=_number("nights", fleet.FEWEST_NIGHTS, fleet.MOST_NIGHTS),
            default=fleet.DEFAULT_NIGHTS,
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.DEMO_DATA_ALLOWED:
            raise CommandError(
                "demo_fleet creates invented data; it is allowed only in development."
            )
        names = {role.value: username for username, _, role in MEMBERS}
        users = {
            role: user
            for role, username in names.items()
            if (user := User.objects.filter(username=username).first())
        }
        if len(users) < len(names):
            raise CommandError("There are no demo users. Run demo_data first.")
        if not Workspace.objects.filter(slug=fleet.SLUG).exists():
            started_at = time.monotonic()
            runs = create_fleet(users, tenants=options["tenants"], nights=options["nights"])
            seconds = time.monotonic() - started_at
            self.stdout.write(
                f"Workspace “{fleet.SLUG}”: {options['tenants']} tenants, {runs:,} runs, "
                f"{seconds:.1f} s"
            )
        for line in register_in_sandbox():
            self.stdout.write(line)


def _number(noun: str, fewest: int, most: int) -> Any:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not fewest <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"the number of {noun} is between {fewest} and {most}")
        return int(text)

    return parse


@transaction.atomic
def create_fleet(users: Mapping[str, User], *, tenants: int, nights: int) -> int:
    """Create the workspace with its tenants and their past; return the number of runs."""
    with connection.cursor() as cursor:
        # On a slow machine, the past takes longer to invent than a transaction may be idle.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    cut = database_now() - UNSETTLED
    since = cut - dt.timedelta(days=nights)
    workspace = Workspace.objects.create(name=fleet.NAME, slug=fleet.SLUG, timezone=fleet.TIMEZONE)
    Membership.objects.bulk_create(
        Membership(user=user, workspace=workspace, role=role) for role, user in users.items()
    )
    members = create_members(workspace, fleet.fleet_tenants(tenants), since, cut)
    create_schedules(workspace, members)
    history = History(workspace, users, cut)
    chance = random.Random("objects")  # noqa: S311 - invented data
    for member in members:
        member.objects = objects_of(member.tenant, chance, cut)
        history.check(member)
        history.back_up(member)
    history.sync_every_morning(members)
    store_objects(workspace, {each.tenant.pk: list(each.objects) for each in members}, since)
    history.link_policies(store_inventory(workspace, history.seen))
    store_runs(workspace.slug, history.runs)
    record_past_changes(workspace)
    with connection.cursor() as cursor:
        # Without statistics, the statements that conclude the past take a minute.
        cursor.execute("ANALYZE operation_runs, operation_run_items, backup_sets, backup_items")
    conclude_past(workspace, history.outage)
    settle_schedules(members, users["manager"], cut)
    record_checks(history, members)
    count_days()
    return len(history.runs)


def create_members(
    workspace: Workspace, plans: Sequence[FleetTenant], since: dt.datetime, cut: dt.datetime
) -> list[Member]:
    """Create the tenants with a connection each."""
    tenants = Tenant.objects.bulk_create(
        Tenant(
            workspace=workspace,
            name=plan.name,
            external_id=uuid.uuid5(NAMESPACE, plan.name),
            status=TenantStatus.SUSPENDED if plan.story is Story.SUSPENDED else TenantStatus.ACTIVE,
        )
        for plan in plans
    )
    connections = ProviderConnection.objects.bulk_create(
        ProviderConnection(
            workspace=workspace,
            tenant=tenant,
            name="Graph sandbox",
            cloud=Cloud.SANDBOX,
            client_id=uuid.uuid5(NAMESPACE, f"{tenant.name}/app"),
            is_default=True,
        )
        for tenant in tenants
    )
    members = []
    for plan, tenant, graph in zip(plans, tenants, connections, strict=True):
        member = Member(plan, tenant, graph, since)
        if plan.story is Story.NEW:
            member.since = member.began_at(cut)
        expires_on = member.began_at(cut).date() if plan.story is Story.EXPIRED else None
        graph.set_credential(secrets.token_urlsafe(24), expires_on=expires_on)
        tenant.created_at = graph.created_at = graph.credential_set_at = member.since
        members.append(member)
    Tenant.objects.bulk_update(tenants, ["created_at"])
    ProviderConnection.objects.bulk_update(connections, ["created_at", "credential_set_at"])
    return members


def create_schedules(workspace: Workspace, members: Sequence[Member]) -> None:
    """Create the schedules as they were when the tenants were added."""
    schedules = []
    for member in members:
        if member.plan.story is Story.NEW:
            continue
        schedule = BackupSchedule(
            workspace=workspace,
            tenant=member.tenant,
            name=member.plan.schedule,
            cron=member.plan.cron,
            timezone=member.plan.timezone,
            kinds=list(fleet.KINDS),
            objective_hours=member.plan.objective_hours,
            created_at=member.since,
        )
        schedule.start_from(member.since)
        schedules.append(schedule)
    BackupSchedule.objects.bulk_create(schedules)
    record_revisions(schedules, RevisionReason.CREATED)
    scoped = {
        each.tenant_id: each
        for each in BackupSchedule.objects.with_scope().filter(workspace=workspace)
    }
    for member in members:
        member.schedule = scoped.get(member.tenant.pk)


def settle_schedules(members: Sequence[Member], by: User, cut: dt.datetime) -> None:
    """Settle every slot that the past explains, and pause the schedules whose story says so."""
    paused, schedules = [], []
    for member in members:
        if (schedule := member.schedule) is None:
            continue
        schedules.append(schedule)
        schedule.settled_until = cut
        schedule.next_run_at = next_slot(schedule.cron, schedule.timezone, cut)
        if member.plan.story is Story.PAUSED:
            paused.append(schedule)
            schedule.settled_until = schedule.paused_at = member.began_at(cut)
            schedule.next_run_at = None
            schedule.paused_by, schedule.pause_reason = by, PAUSE_REASON
    columns = ["settled_until", "next_run_at", "paused_at", "paused_by", "pause_reason"]
    BackupSchedule.objects.bulk_update(schedules, columns)
    record_revisions(paused, RevisionReason.PAUSED, by=by)


def record_checks(history: History, members: Sequence[Member]) -> None:
    """Store the result of each connection check on its connection."""
    checks = {
        run.row["tenant_id"]: run for run in history.runs if run.row["type"].endswith(".check")
    }
    for member in members:
        check = checks[member.tenant.pk]
        results = {
            item.key: ProbeResult.MISSING.value if item.error else ProbeResult.GRANTED.value
            for item in check.items
        }
        finding = derive_finding({key: results[key] for key in PROBES})
        member.connection.status, member.connection.check_results = finding.status, finding.results
        member.connection.check_reason_code = finding.reason_code
        member.connection.checked_at = check.completed_at
    columns = ["status", "check_results", "check_reason_code", "checked_at"]
    ProviderConnection.objects.bulk_update([each.connection for each in members], columns)


def register_in_sandbox() -> list[str]:
    """Add the tenants that the Graph sandbox lacks; return a message if there is no sandbox."""
    connections = ProviderConnection.objects.filter(workspace__slug=fleet.SLUG)
    plans = {plan.name: plan for plan in fleet.fleet_tenants(connections.count())}
    chance = random.Random("objects")  # noqa: S311 - the same edits as those of the past
    try:
        control = SandboxControl.at(
            settings.GRAPH_SANDBOX_URL,
            settings.GRAPH_CA_BUNDLE,
            os.environ.get("GRAPH_SANDBOX_TOKEN", ""),
        )
        known = set(control.tenants())
        for graph in connections.select_related("tenant").order_by("tenant_id"):
            plan = plans.get(graph.tenant.name)
            objects = objects_of(graph.tenant, chance, database_now()) if plan else []
            if plan and str(graph.tenant.external_id) not in known:
                _register(control, graph, plan.story, objects)
            if plan and plan.story is Story.EXPIRED:
                control.clear(graph.tenant.external_id)
                control.fault(graph.tenant.external_id, "expire_credential")
    except SandboxError as error:
        return [f"The fleet was not added to a Graph sandbox: {error}"]
    return []


def _register(
    control: SandboxControl,
    graph: ProviderConnection,
    story: Story,
    objects: Sequence[FleetObject],
) -> None:
    """Add a tenant as its past left it."""
    granted = list(READ_PERMISSIONS)
    if story is Story.FORBIDDEN:
        granted.remove(fleet.PERMISSION)
    control.add_tenant(
        graph.tenant.external_id,
        graph.client_id,
        graph.credential(),
        name=graph.tenant.name,
        sizes=fleet.SIZES,
        permissions=granted,
    )
    for policy in objects:
        if policy.removed_at:
            control.delete_object(graph.tenant.external_id, policy.kind, policy.graph_id)
        elif policy.edited or policy.created_at:
            entry = policy.edited or policy.entry
            control.put_object(graph.tenant.external_id, policy.kind, entry)
