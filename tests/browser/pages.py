"""A workspace with data for every page, and tours through its pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.tokens import default_token_generator
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.access_tokens.services import revoke
from accounts.models import AccessToken
from accounts.sign_in_links.services import create_link
from audit.context import audited_request
from audit.events import record
from backups.models import BackupItem, BackupSchedule, BackupSet, SetStatus
from backups.recording import record_changes
from backups.services import delete as delete_schedule
from notifications.unsubscribing import unsubscribe_token
from operations.maintenance.incidents import update_incidents
from operations.maintenance.integrity import check_ledger
from operations.models import EventLevel, Incident, OperationRun, SavedView
from operations.presentation.layout import COLUMNS
from operations.states import ItemOutcome, RunOutcome, RunStatus
from providers.probes import PROBES, WRITES
from restores.models import Replacement
from tenancy import services as tenancy
from tenancy import staff_changes, support_access
from tenancy.approval_off import withdraw_approval_off
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
    create_approval_off_request,
    create_member,
    failure,
)
from tests.support.factories.accounts import (
    create_invitation,
    create_service_token,
    create_token,
)
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
    PolicyVersionFactory,
    finish,
)
from tests.support.factories.incidents import OUTAGE, fail_for, succeed_for
from tests.support.factories.inventory import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run
from tests.support.factories.notifications import (
    add_endpoint,
    create_delivery,
    create_notifications,
    create_rule,
    create_webhook,
)
from tests.support.factories.operations import create_past_run, prune
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import DIFFERENCE, create_restore
from tests.support.sessions import open_session

CONTEXT = {
    "target_scope": {
        "tenant_name": "Fabrikam",
        "tenant_external_id": "1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10",
        "kinds": ["settings_catalog", "compliance"],
    },
    "idempotency": {"backup_schedule_id": 7},
}
HOSTILE = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
#: A name that people enter has no character that changes the direction of text.
HOSTILE_NAME = "<img src=x onerror=alert(1)>{{7*7}}"


def populate() -> dict[str, OperationRun]:
    """Create a run in every state in the workspace `contoso`, which olga manages."""
    contoso = WorkspaceFactory(name="Contoso Services", slug="contoso", timezone="Europe/Berlin")
    olga = create_member(contoso, Role.MANAGER, username="olga")
    MembershipFactory(user=olga, workspace=WorkspaceFactory(name="Northwind", slug="northwind"))
    fabrikam = TenantFactory(workspace=contoso, name="Fabrikam")
    _create_recent_runs(contoso)
    runs = {
        "succeeded": _create_run(fabrikam, succeeded=True, user=olga, initiator_name="olga"),
        "partial": _create_partial_run(fabrikam),
        "failed": _create_run(fabrikam, failed=True),
        "blocked": _create_run(fabrikam, blocked=True),
        "cancelled": _create_run(fabrikam, cancelled=True, cancel_requested_by=olga),
        "queued": _create_run(
            fabrikam, published_at=timezone.now() - dt.timedelta(seconds=20), minutes_ago=1
        ),
        "running": _create_run(fabrikam, running=True, minutes_ago=1),
        "stopping": _create_run(
            fabrikam,
            running=True,
            cancel_requested_at=timezone.now(),
            cancel_requested_by=olga,
        ),
        "silent": _create_run(
            fabrikam, running=True, heartbeat_at=timezone.now() - dt.timedelta(minutes=4)
        ),
        "hostile": _create_run(
            TenantFactory(workspace=contoso, name=HOSTILE_NAME), failed=True, initiator_name=HOSTILE
        ),
    }
    _create_items(runs["running"])
    return runs


def _create_run(tenant: Tenant, *, minutes_ago: int = 3, **traits: object) -> OperationRun:
    at = timezone.now() - dt.timedelta(minutes=minutes_ago)
    run = OperationRunFactory(tenant=tenant, context=CONTEXT, created_at=at, **traits)
    throttled = "Microsoft Graph is throttling requests"
    wait = {"after_ms": 900, "wait_ms": 12_000, "cause": throttled}
    for sequence, (kind, message, level, data) in enumerate(
        [
            ("created", "Requested by Schedule: Nightly.", EventLevel.INFO, {}),
            ("started", "Started by worker-1:42.", EventLevel.INFO, {}),
            ("phase", "Reading compliance policies", EventLevel.INFO, {"after_ms": 300}),
            ("wait", f"{throttled}: waiting 12 s.", EventLevel.WARNING, wait),
        ],
        start=1,
    ):
        OperationRunEventFactory(
            run=run, sequence=sequence, kind=kind, message=message, level=level, data=data
        )
    return run


def _create_partial_run(tenant: Tenant) -> OperationRun:
    failures = [
        failure(
            "permission_missing",
            "Reading conditional access policies needs Policy.Read.All.",
            2,
            next_step="Grant Policy.Read.All to the app in the tenant, then retry.",
            item="Require MFA for admins",
        ),
        failure("service_unavailable", "Microsoft Graph did not answer.", 1, item="Baseline"),
    ]
    run = _create_run(tenant, running=True, failure_summary=failures)
    _create_items(run)
    counts = {"total": 40, "processed": 40, "succeeded": 36, "failed": 3, "skipped": 1}
    return end_run(run, RunOutcome.PARTIALLY_SUCCEEDED, summary_counts=counts)


def end_run(run: OperationRun, outcome: RunOutcome, **columns: object) -> OperationRun:
    """End a run; its items must exist already."""
    OperationRun.objects.filter(pk=run.pk).update(
        status=RunStatus.COMPLETED, outcome=outcome, completed_at=timezone.now(), **columns
    )
    run.refresh_from_db()
    return run


def _create_items(run: OperationRun) -> None:
    for number in range(9):
        OperationRunItemFactory(run=run, label=f"Windows baseline {number + 1}")
    OperationRunItemFactory(
        run=run,
        label="Require MFA for admins",
        outcome=ItemOutcome.FAILED,
        reason_code="permission_missing",
        message="Reading conditional access policies needs Policy.Read.All.",
        request_id="6a3c5b7e-9f10-4d0a-9d2f-1f0b2c9e5a8e",
    )


def _create_recent_runs(workspace: Workspace) -> None:
    """Create enough runs for the chart and for the expected duration."""
    now = timezone.now()
    for index, name in enumerate(("Adatum", "Litware", "Proseware", "Wingtip Toys")):
        tenant = TenantFactory(workspace=workspace, name=name)
        for hour in range(1 + index, 23, 2 + index):
            at = now - dt.timedelta(hours=hour)
            trait = "partial" if (hour + index) % 7 == 0 else "succeeded"
            OperationRunFactory(
                tenant=tenant,
                **{trait: True},
                created_at=at,
                started_at=at,
                completed_at=at + dt.timedelta(seconds=40 + 9 * hour),
                acknowledged_at=now if trait == "partial" and hour > 5 else None,
                type="backup_schedule.run_now",
            )


def populate_retention() -> dict[str, str]:
    """Prune old runs in `contoso`; return the addresses of their pages."""
    workspace = Workspace.objects.get(slug="contoso")
    tenant = TenantFactory(workspace=workspace, name="Tailspin Toys")
    with override_settings(RUN_KEEP_LAST=1):
        old, without_details, _ = (create_past_run(tenant, days) for days in (900, 40, 1))
        prune(workspace)
    return {
        "retention": "/w/contoso/retention/",
        "api": "/w/contoso/api/",
        "run-removed": old.get_absolute_url(),
        "run-without-details": without_details.get_absolute_url(),
        "retention-empty": "/w/northwind/retention/",
    }


def populate_incidents() -> dict[str, str]:
    """Create an open incident, half recovered, and a closed one that has returned."""
    contoso = Workspace.objects.get(slug="contoso")
    tenants = TenantFactory.create_batch(12, workspace=contoso)
    for number, tenant in enumerate(tenants[:4]):
        fail_for(tenant, number, "credential_expired")
    update_incidents()
    for number, tenant in enumerate(tenants[:4]):
        succeed_for(tenant, number)
    update_incidents()
    for number, tenant in enumerate(tenants):
        fail_for(tenant, number)
        if number > 6:
            fail_for(tenant, 100, "permission_missing", kind="groups", permission="Group.Read.All")
        if number < 3:
            fail_for(tenant, 200, "credential_expired")
    update_incidents()
    for number, tenant in enumerate(tenants[:5]):
        succeed_for(tenant, number)
    update_incidents()
    incident = Incident.objects.get(workspace=contoso, cause=OUTAGE)
    returned = Incident.objects.get(workspace=contoso, number=2)
    closed = Incident.objects.get(workspace=contoso, close_reason="recovered")
    recovered = OperationRun.objects.filter(incident=incident, recovered_at__isnull=False)
    return {
        "incidents": "/w/contoso/incidents/",
        "incidents-empty": "/w/northwind/incidents/",
        "incidents-bad-cursor": "/w/contoso/incidents/?older=x",
        "incident": incident.get_absolute_url(),
        "incident-returned": returned.get_absolute_url(),
        "incident-closed": closed.get_absolute_url(),
        "incident-retry": f"{incident.get_absolute_url()}retry/",
        "incident-acknowledge": f"{incident.get_absolute_url()}acknowledge/",
        "overview-with-incidents": "/w/contoso/",
        "run-recovered": recovered.latest("pk").get_absolute_url(),
        "runs-of-a-cause": "/w/contoso/runs/?cause=service_unavailable",
    }


def populate_backups() -> dict[str, str]:
    """Create schedules and backup sets in `contoso`; return the addresses of their pages."""
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace__slug="contoso")
    now = timezone.now()
    nightly = BackupScheduleFactory(
        tenant=fabrikam, name="Nightly", due=now + dt.timedelta(hours=8), timezone="Europe/Berlin"
    )
    _create_slots(nightly)
    BackupScheduleFactory(tenant=fabrikam, name="Hourly, while the migration lasts", paused=True)
    complete = BackupSetFactory(schedule=nightly)
    item = BackupItemFactory(backup_set=complete, name="Require MFA for admins")
    finish(complete, item_count=1)
    partial = BackupSetFactory(schedule=nightly)
    BackupItemFactory(backup_set=partial, name="Windows baseline", kind="settings_catalog")
    BackupItemFactory(backup_set=partial, missed=True)
    finish(partial, SetStatus.INCOMPLETE, item_count=2, incomplete_count=1)
    return {
        "freshness": "/w/contoso/freshness/",
        "freshness-late": "/w/contoso/freshness/?state=late&sort=name",
        "freshness-nothing-matches": "/w/contoso/freshness/?q=nothing",
        "freshness-refused": "/w/contoso/freshness/?state=nonsense",
        "freshness-empty": "/w/northwind/freshness/",
        "objective": "/w/contoso/freshness/objective/",
        "tenant-objective": f"/w/contoso/tenants/{fabrikam.pk}/objective/",
        "schedules": "/w/contoso/schedules/",
        "schedule": nightly.get_absolute_url(),
        "sets": "/w/contoso/backup-sets/",
        "set-complete": complete.get_absolute_url(),
        "set-incomplete": partial.get_absolute_url(),
        "item": item.get_absolute_url(),
        "overview-fresh": "/w/contoso/",
        **_create_connection(nightly.tenant),
    }


def _create_slots(schedule: BackupSchedule) -> None:
    """Create the runs of the last slots of a schedule."""
    for nights in range(12):
        at = timezone.now() - dt.timedelta(days=nights, hours=5)
        OperationRunFactory(
            tenant=schedule.tenant,
            type="backup_schedule.scheduled",
            context={
                "backup_schedule_id": schedule.pk,
                "scheduled_for": f"{at:%Y-%m-%dT%H:%MZ}",
            },
            created_at=at,
            **{"failed" if nights == 3 else "succeeded": True},
        )


def _create_connection(tenant: Tenant) -> dict[str, str]:
    results = dict.fromkeys([*PROBES, *WRITES], "granted") | {
        "groups": "missing",
        "app_protection": "unknown",
        "write/compliance": "missing",
        "write/named_location": "unverified",
    }
    connection = ProviderConnectionFactory(
        tenant=tenant,
        access="read_write",
        status="limited",
        check_results=results,
        check_reason_code="permission_missing",
    )
    url = connection.get_absolute_url()
    return {
        "connections": "/w/contoso/connections/",
        "connection": url,
        "connection-new": "/w/contoso/connections/new/",
        "connection-edit": f"{url}edit/",
        "connection-credential": f"{url}credential/",
    }


#: What an object of a restore refers to and the tenant lacks; the first one is in the backup set.
MISSING = [
    {"kind": "groups", "id": "7c1f3c0e-1111-4222-8333-000000000001"},
    {"kind": "users", "id": "7c1f3c0e-1111-4222-8333-000000000002", "needed_by": "x" * 120},
]


def populate_restores() -> dict[str, str]:
    """Create restores in every state in `contoso`; return the addresses of their pages."""
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace__slug="contoso")
    warning = "The policy is enforced now and would only report afterward."
    blocked = "It holds 2 values that are not in the backup."
    previewed = create_restore(
        fabrikam,
        {"warning": warning},
        {"action": "conflict", "changes": [dict(DIFFERENCE, after="x" * 300)]},
        {"action": "create", "target_id": "", "changes": [dict(DIFFERENCE, after="x" * 300)]},
        {"action": "unchanged", "changes": [], "name": f"unchanged {HOSTILE}"},
        {"action": "blocked", "reason_code": "restore_encrypted", "message": blocked},
        {"action": "blocked", "reason_code": "restore_reference_missing", "missing": MISSING},
    )
    assert previewed.backup_set
    BackupItemFactory(
        backup_set=previewed.backup_set,
        kind="groups",
        graph_id=MISSING[0]["id"],
        name=f"Group {HOSTILE}",
    )
    Replacement.objects.create(
        workspace=fabrikam.workspace,
        tenant=fabrikam,
        kind="groups",
        missing_id="a" * 36,
        replacement_id="b",
        name=HOSTILE,
    )
    changed = previewed.items.order_by("pk")[0]
    executing = create_restore(fabrikam, executing=True)
    ended = create_restore(
        TenantFactory(workspace=fabrikam.workspace, name="Woodgrove"), executing=True
    )
    item = ended.items.get()
    for state in ("intent", "unknown"):
        item.state = state
        if state == "unknown":
            item.outcome_code = "restore_unknown"
        item.outcome_message = "The answer was lost."
        item.save()
    ended.status, ended.ended_at = "ended", timezone.now()
    ended.save()
    return {
        "restores": "/w/contoso/restores/",
        "restores-empty": "/w/northwind/restores/",
        "restore-choose": f"/w/contoso/backup-sets/{previewed.backup_set.pk}/restore/",
        "restore-previewed": previewed.get_absolute_url(),
        "restore-item": f"{previewed.get_absolute_url()}items/{changed.pk}/",
        "restore-executing": executing.get_absolute_url(),
        "restore-ended": ended.get_absolute_url(),
    }


def populate_legacy_runs() -> dict[str, str]:
    """Create legacy runs in `contoso`; return the addresses of their pages."""
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace__slug="contoso")
    create_legacy_run(fabrikam, run=create_canonical_run(fabrikam), status="success")
    sync = create_legacy_run(
        fabrikam, status="partial", selection_payload='{"policy_types": ["compliance"]}'
    )
    failed = create_legacy_run(
        fabrikam,
        "backup_schedule_run",
        error_code="GRAPH_THROTTLED",
        error_message=f"Too many requests for {HOSTILE}",
        summary='{"policies_total": 40, "policies_backed_up": 12}',
    )
    return {
        "legacy-runs": "/w/contoso/legacy-runs/",
        "legacy-runs-filtered": "/w/contoso/legacy-runs/?view=problems&q=fabrikam",
        "legacy-runs-nothing-matches": "/w/contoso/legacy-runs/?outcome=skipped",
        "legacy-runs-empty": "/w/northwind/legacy-runs/",
        "legacy-runs-bad-date": "/w/contoso/legacy-runs/?since=2026-02-30",
        "legacy-runs-sync": sync.get_absolute_url(),
        "legacy-runs-schedule-run": failed.get_absolute_url(),
        "timeline": f"/w/contoso/tenants/{fabrikam.pk}/runs/",
        "tenant-with-legacy-runs": fabrikam.get_absolute_url(),
    }


def _create_tokens(workspace: Workspace, owner: User) -> None:
    """Create a used, a revoked and a service token."""
    used = create_token(owner, workspace)
    AccessToken.objects.filter(pk=used.pk).update(
        last_used_at=timezone.now(), last_used_address="2001:db8::1"
    )
    create_service_token(workspace, by=owner)
    revoke(create_token(owner, workspace, "Old laptop " + "x" * 40), by=owner)


def populate_inventory() -> dict[str, str]:
    """Create policies, groups, roles, exports and changes in `contoso`, which owen owns."""
    contoso = Workspace.objects.get(slug="contoso")
    owen = create_member(contoso, Role.OWNER, username="owen")
    create_invitation(contoso, by=owen)
    create_invitation(contoso, "zoe.with-a-long-name@branch-office.example.com", Role.OWNER)
    _create_tokens(contoso, owen)
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace=contoso)
    policies = [
        PolicyFactory(
            tenant=fabrikam,
            name=name,
            kind=kind,
            is_assigned=assigned,
            last_modified_at=timezone.now(),
        )
        for name, kind, assigned in (
            ("Require MFA for admins", "conditional_access", None),
            ("Windows baseline", "settings_catalog", True),
            (HOSTILE, "compliance", False),
        )
    ]
    PolicyFactory(tenant=fabrikam, name="Legacy VPN", kind="device_configuration", missing=True)
    group = DirectoryGroupFactory(
        tenant=fabrikam, name="Sales", is_dynamic=True, membership_rule='user.city -eq "Graz"'
    )
    role = RoleDefinitionFactory(tenant=fabrikam, name="Helpdesk", is_built_in=True)
    OperationRunFactory(tenant=fabrikam, type="inventory.sync", partial=True)
    PolicyExportFactory(tenant=fabrikam)
    expired = PolicyExportFactory(tenant=fabrikam, expired=True)
    changed, item = _create_two_sets(fabrikam)
    assert changed.schedule
    archived = TenantFactory(workspace=contoso, name="Woodgrove Bank")
    deleted = BackupScheduleFactory(tenant=archived, name="Weekly")
    delete_schedule(deleted, by=owen, reason="Replaced by the nightly schedule")
    tenancy.archive(archived, by=owen, reason="The contract has ended")
    return {
        "tenant-archived": archived.get_absolute_url(),
        "schedule-deleted": deleted.get_absolute_url(),
        "tenants-archived": "/w/contoso/tenants/?status=archived",
        "members": "/w/contoso/members/",
        "group-roles": "/w/contoso/members/groups/",
        "invitation-new": "/w/contoso/invitations/new/",
        "workspace-tokens": "/w/contoso/tokens/",
        "service-token-new": "/w/contoso/tokens/new/",
        "account-tokens": "/account/tokens/",
        "account-token-new": "/account/tokens/new/",
        "settings": "/w/contoso/settings/",
        "tenants": "/w/contoso/tenants/",
        "tenants-empty": "/w/contoso/tenants/?q=unknown",
        "tenant": fabrikam.get_absolute_url(),
        "tenant-new": "/w/contoso/tenants/new/",
        "tenant-edit": f"{fabrikam.get_absolute_url()}edit/",
        "policies": "/w/contoso/inventory/policies/?state=all",
        "policies-bad-filter": "/w/contoso/inventory/policies/?kind=nonsense",
        "policies-of-tenant": f"/w/contoso/inventory/policies/?tenant={fabrikam.pk}",
        "policy": policies[0].get_absolute_url(),
        "policy-hostile": policies[2].get_absolute_url(),
        "groups": "/w/contoso/inventory/groups/",
        "group": group.get_absolute_url(),
        "roles": "/w/contoso/inventory/roles/",
        "role": role.get_absolute_url(),
        "exports": "/w/contoso/exports/",
        "export-expired": expired.get_absolute_url(),
        "schedule-new": "/w/contoso/schedules/new/",
        "schedule-edit": f"{changed.schedule.get_absolute_url()}edit/",
        "set-changes": f"{changed.get_absolute_url()}changes/",
        "item-changes": f"{item.get_absolute_url()}changes/",
        "changes": "/w/contoso/changes/",
        "changes-of-tenant": f"/w/contoso/changes/?tenant={fabrikam.pk}&kind=conditional_access",
        "changes-nothing-matches": "/w/contoso/changes/?change=removed",
        "changes-bad-filter": "/w/contoso/changes/?change=nonsense",
        "changes-empty": "/w/northwind/changes/",
    }


def _create_two_sets(tenant: Tenant) -> tuple[BackupSet, BackupItem]:
    """Create two sets; the second has a changed policy and one that was not read."""
    schedule = BackupScheduleFactory(tenant=tenant, name="Weekly")
    for number, state in enumerate(("enabledForReportingButNotEnforced", "enabled")):
        at = timezone.now() - dt.timedelta(days=2 - number)
        backup_set = BackupSetFactory(schedule=schedule, started_at=at)
        users = {"includeUsers": ["All"], "excludeGroups": ["break-glass"][number:]}
        payload = {
            "id": "mfa",
            "displayName": "MFA",
            "state": state,
            "conditions": {"users": users},
            "clientSecret": f"hunter-{number}",
        }
        version = PolicyVersionFactory(workspace=backup_set.workspace, payload=payload)
        item = BackupItemFactory(backup_set=backup_set, graph_id="mfa", name="MFA", version=version)
        if number:
            BackupItemFactory(backup_set=backup_set, name="Legacy VPN", missed=True)
        finish(
            backup_set,
            SetStatus.INCOMPLETE if number else SetStatus.COMPLETE,
            item_count=1 + number,
        )
        record_changes(backup_set)
    return backup_set, item


def populate_account() -> dict[str, str]:
    """Open another session of owen; return the addresses of the pages of the account."""
    owen = create_member(Workspace.objects.get(slug="contoso"), Role.OWNER, username="owen")
    open_session(Client(), owen)
    return {
        "account": "/account/",
        "password-change": "/account/password/",
        "second-factor-required": "/account/second-factor/",
        "app-add": "/account/second-factor/app/",
        "passkey-add": "/account/second-factor/passkey/",
    }


def populate_sign_in() -> dict[str, str]:
    """Return the addresses of the pages of a user who is not signed in."""
    user: User = UserFactory(username="wanda")
    reset = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    return {
        "login": "/sign-in/",
        "password-reset": "/sign-in/reset/",
        "password-reset-confirm": reverse("password_reset_confirm", args=reset),
        "password-reset-not-valid": "/sign-in/reset/MQ/unknown/",
        "sign-in-link": f"/sign-in/link/{create_link(user, minutes=15)}/",
        "sign-in-link-not-valid": "/sign-in/link/unknown/",
    }


def populate_invitation() -> dict[str, str]:
    """Invite nadia to `contoso`; return the addresses that she opens."""
    contoso = Workspace.objects.get(slug="contoso")
    owner = create_member(contoso, Role.OWNER, username="oscar")
    _, token = create_invitation(contoso, by=owner)
    return {
        "invitation-opened": f"/invitations/{token}/",
        "invitation": "/invitation/",
        "invitation-not-valid": "/invitations/unknown/",
    }


def populate_approvals() -> dict[str, str]:
    """Create the workspaces `adatum` with an open request, and `proseware` with one owner, orla."""
    adatum = WorkspaceFactory(name="Adatum", slug="adatum")
    orla = create_member(adatum, Role.OWNER, username="orla")
    sara = UserFactory(username="sara.support", is_staff=True)
    withdraw_approval_off(create_approval_off_request(adatum), by=orla)
    previewed = create_restore(
        TenantFactory(workspace=adatum, name="Wingtip Toys"), requested_by=create_member(adatum)
    )
    approved = create_restore(previewed.tenant, requested_by=previewed.requested_by)
    approved.approved_by, approved.approved_at = orla, timezone.now()
    approved.save(update_fields=["approved_by", "approved_at"])
    expired = create_restore(previewed.tenant, expires_in=dt.timedelta(seconds=-1))
    create_approval_off_request(adatum)
    staff_changes.record(
        adatum, orla, "Changed the account of an owner: password, email address.", by=sara
    )
    staff_changes.record(adatum, sara, "Added the member as owner.", by=sara)
    support_access.open_access(adatum, by=sara, reason="Ticket 4711: the preview never ends")
    proseware = WorkspaceFactory(name="Proseware", slug="proseware")
    MembershipFactory(user=orla, workspace=proseware, role=Role.OWNER)
    Workspace.objects.filter(pk=proseware.pk).update(restores_need_approval=True)
    return {
        "settings-request": "/w/adatum/settings/",
        "settings-one-owner": "/w/proseware/settings/",
        "members-changed-by-staff": "/w/adatum/members/",
        "approvals": "/approvals/",
        "restore-to-approve": previewed.get_absolute_url(),
        "restore-approved": approved.get_absolute_url(),
        "restore-expired": expired.get_absolute_url(),
    }


def populate_integrity() -> dict[str, str]:
    """Create sara, a member of staff with support access to `contoso`, and no ledger check."""
    sara = UserFactory(username="sara", is_staff=True, is_superuser=True)
    contoso = Workspace.objects.get(slug="contoso")
    support_access.open_access(contoso, by=sara, reason="Ticket 4711: the backup is late")
    return {
        "integrity-unchecked": "/integrity/",
        "workspace-new": "/workspaces/new/",
        "support-access": "/support-access/",
        "support-overview": "/w/contoso/",
    }


def populate_checked_ledger() -> dict[str, str]:
    """Create sara, a member of staff, and check the ledger."""
    populate_integrity()
    check_ledger()
    return {"integrity": "/integrity/"}


def run_pages() -> dict[str, str]:
    """Return the addresses of the pages of runs; those of northwind are empty."""
    visible_runs = OperationRun.objects.filter(workspace__slug="contoso", context=CONTEXT)
    return {
        "overview": "/w/contoso/",
        "overview-empty": "/w/northwind/",
        "runs": "/w/contoso/runs/",
        "runs-all": "/runs/?view=attention",
        "runs-empty": "/w/northwind/runs/",
        **{f"run-{run.pk}": run.get_absolute_url() for run in visible_runs},
    }


def list_pages() -> dict[str, str]:
    """Save views of olga and of `contoso`; return the addresses of lists and what belongs to them."""
    contoso, olga = Workspace.objects.get(slug="contoso"), User.objects.get(username="olga")
    view = SavedView.objects.create(
        workspace=contoso, owner=olga, name="Failed backups", parameters={"view": "failed"}
    )
    SavedView.objects.create(workspace=contoso, created_by_name="owen", name=f"X {HOSTILE_NAME}")
    columns = ",".join(COLUMNS)
    return {
        "overview-all": "/overview/",
        "search": "/search/?q=fabri",
        "search-empty": "/search/",
        "search-nothing": "/search/?q=unknown",
        "runs-compact": "/w/contoso/runs/?density=compact&sort=-duration",
        "runs-every-column": f"/w/contoso/runs/?columns={columns}&saved={view.pk}",
        "runs-bad-layout": "/w/contoso/runs/?columns=nonsense&sort=nonsense&density=nonsense",
        "saved-views": "/w/contoso/runs/views/",
        "saved-views-empty": "/w/northwind/runs/views/",
        "saved-view-new": "/w/contoso/runs/views/new/?view=attention&q=Fabrikam",
        "saved-view-edit": f"/w/contoso/runs/views/{view.pk}/edit/",
        "bulk-retry": "/w/contoso/runs/retry/?all=1",
        "bulk-acknowledge": "/w/contoso/runs/acknowledge/?all=1&view=failed",
        "bulk-cancel-nothing": "/w/contoso/runs/cancel/",
    }


def error_pages() -> dict[str, str]:
    """Return addresses that show error pages."""
    return {
        "not-found": "/w/nowhere/",
        "bad-filter": "/runs/?type=nonsense",
    }


def populate_audit_log() -> dict[str, str]:
    """Let olive, an owner, change things of every kind in `contoso`."""
    workspace = Workspace.objects.get(slug="contoso")
    olive = create_member(workspace, Role.OWNER, username="olive")
    tenant = TenantFactory(workspace=workspace, name=f"Tenant {HOSTILE_NAME}")
    schedule = BackupScheduleFactory(tenant=tenant, name="Nightly")
    connection = ProviderConnectionFactory(tenant=tenant, name="Graph")
    request = RequestFactory().post("/", REMOTE_ADDR="2001:db8:85a3:8d3:1319:8a2e:370:7348")
    request.user = olive
    with audited_request(request):
        schedule.kinds, schedule.retention_keep_days = ["compliance", "conditional_access"], 7
        schedule.save()
        connection.set_credential("a secret that no page shows")
        workspace.restores_need_approval = True
        workspace.save()
        Membership.objects.filter(user=olive).update(role=Role.MANAGER)
        Membership.objects.filter(user=olive).update(role=Role.OWNER)
    record("sign_in_failed", request=RequestFactory().post("/"), user=olive)
    return {
        "audit-log": "/w/contoso/audit-log/",
        "audit-log-filtered": f"/w/contoso/audit-log/?object=backup_schedules/{schedule.pk}",
        "audit-log-empty": "/w/contoso/audit-log/?q=unknown",
        "audit-log-bad-filter": "/w/contoso/audit-log/?since=nonsense",
        "schedule-history": schedule.get_absolute_url(),
        "settings-history": "/w/contoso/settings/",
    }


def populate_notifications() -> dict[str, str]:
    """Create rules, notifications and deliveries of olga in `contoso`; return their addresses."""
    contoso, olga = Workspace.objects.get(slug="contoso"), User.objects.get(username="olga")
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace=contoso)
    create_rule(contoso, events=["run_failed", "backup_late"], in_a_row=3)
    own = create_rule(contoso, owner=olga, tenant=fabrikam, email=True)
    create_delivery(fabrikam, olga, attempts=3, answer="The mail server could not be reached.")
    create_notifications(fabrikam, olga)
    rules = "/w/contoso/notifications/rules/"
    return {
        "notifications": "/notifications/",
        "notifications-unread": "/notifications/?show=unread",
        "notification-rules": rules,
        "notification-rule-new": f"{rules}new/?tenant={fabrikam.pk}",
        "notification-rule": own.get_absolute_url(),
        "notification-deliveries": "/w/contoso/notifications/deliveries/",
        "notification-unsubscribe": reverse(
            "notification_unsubscribe", args=[unsubscribe_token(olga)]
        ),
    }


def populate_webhooks() -> dict[str, str]:
    """Create endpoints in each state with deliveries in `contoso`; return their addresses."""
    contoso = Workspace.objects.get(slug="contoso")
    fabrikam = Tenant.objects.get(name="Fabrikam", workspace=contoso)
    create_member(contoso, Role.OWNER, username="owen")
    now = timezone.now()
    tickets, _ = add_endpoint(contoso, name="Tickets of the service desk")
    add_endpoint(contoso, format="slack", name="Slack", paused_at=now)
    disabled, _ = add_endpoint(
        contoso, format="teams", name="Teams", failing_since=now, disabled_at=now
    )
    create_rule(contoso, endpoint=tickets)
    create_webhook(fabrikam, tickets, attempts=1, answer="HTTP 200: ok", delivered_at=now)
    create_webhook(fabrikam, tickets, attempts=2, answer="HTTP 500", attempted_at=now)
    create_webhook(
        fabrikam, disabled, attempts=30, answer="The receiver could not be reached.", failed_at=now
    )
    endpoints = "/w/contoso/notifications/endpoints/"
    return {
        "webhook-endpoints": endpoints,
        "webhook-endpoint-new": f"{endpoints}new/",
        "webhook-endpoint": tickets.get_absolute_url(),
        "webhook-endpoint-edit": f"{tickets.get_absolute_url()}edit/",
        "webhook-endpoint-rotate": f"{tickets.get_absolute_url()}rotate/",
        "webhook-endpoint-disabled": disabled.get_absolute_url(),
        "webhook-deliveries": "/w/contoso/notifications/deliveries/",
        "webhook-rule-new": "/w/contoso/notifications/rules/new/",
    }


@dataclass(frozen=True)
class Tour:
    """Pages that a user visits in order; `populate` creates their data and returns their addresses."""

    user: str
    populate: Callable[[], dict[str, str]]


TOURS = {
    "signing in": Tour("", populate_sign_in),
    "joining": Tour("", populate_invitation),
    "joining with an account": Tour("olga", populate_invitation),
    "runs": Tour("olga", run_pages),
    "lists of runs": Tour("olga", list_pages),
    "incidents": Tour("olga", populate_incidents),
    "backups": Tour("olga", populate_backups),
    "tenants and their inventory": Tour("owen", populate_inventory),
    "audit log": Tour("olive", populate_audit_log),
    "retention": Tour("olga", populate_retention),
    "legacy runs": Tour("olga", populate_legacy_runs),
    "restores": Tour("olga", populate_restores),
    "account": Tour("owen", populate_account),
    "approvals and changes by staff": Tour("orla", populate_approvals),
    "integrity before a check": Tour("sara", populate_integrity),
    "integrity": Tour("sara", populate_checked_ledger),
    "notifications": Tour("olga", populate_notifications),
    "webhooks": Tour("owen", populate_webhooks),
    "errors": Tour("olga", error_pages),
}
