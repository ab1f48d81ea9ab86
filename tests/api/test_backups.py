"""Tenants, freshness, schedules, backup sets and incidents with a token."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from audit.models import AuditEntry
from backups import downloads
from backups.models import BackupSchedule
from tenancy.models import Tenant, TenantStatus
from tests.support.api_routes import send
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
    finish,
)
from tests.support.factories.incidents import create_incident
from tests.support.factories.inventory import PolicyFactory

pytestmark = pytest.mark.django_db

SCHEDULES = "/api/v1/schedules"


def new_schedule(tenant: Tenant, **values: Any) -> dict[str, Any]:
    return {"tenant": tenant.pk, "name": "Nightly", "cron": "30 2 * * *", **values}


def test_a_schedule_is_added_with_the_values_of_the_form(api: Client, tenant: Tenant) -> None:
    response = send(api, "post", SCHEDULES, new_schedule(tenant, kinds=["compliance"]))

    body = response.json()
    schedule = BackupSchedule.objects.get(pk=body["id"])
    assert response.status_code == 201
    assert (schedule.tenant, schedule.kinds) == (tenant, ["compliance"])
    assert (schedule.timezone, schedule.retention_keep_sets) == (tenant.workspace.timezone, 30)
    assert body["next_slot"] is not None


def test_the_audit_log_names_the_user_and_the_token(api: Any, tenant: Tenant) -> None:
    send(api, "post", SCHEDULES, new_schedule(tenant))

    entry = AuditEntry.objects.get(object_type="backup_schedules")
    assert entry.user_name == "marc"
    assert api.token.name in entry.origin


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"cron": "every night"}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"kinds": ["everything"]}, "kinds"),
        ({"kinds": []}, "kinds"),
        ({"name": ""}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"grace_hours": -1}, "grace_hours"),
        ({"retention_keep_sets": True}, "retention_keep_sets"),
        ({"objective_hours": 10**12}, "objective_hours"),
    ],
)
def test_an_invalid_schedule_is_refused(
    api: Client, tenant: Tenant, values: dict[str, Any], name: str
) -> None:
    response = send(api, "post", SCHEDULES, new_schedule(tenant, **values))

    assert response.status_code == 400
    assert response.json()["errors"][0]["name"].partition(".")[0] == name
    assert not BackupSchedule.objects.exists()


def test_a_name_is_used_once_per_tenant(api: Client, tenant: Tenant) -> None:
    statuses = [send(api, "post", SCHEDULES, new_schedule(tenant)).status_code for _ in range(2)]

    assert statuses == [201, 409]


def test_a_change_keeps_the_other_values(api: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, objective_hours=48, retention_keep_days=7)
    before = api.get(f"{SCHEDULES}/{schedule.pk}").json()

    changed = send(api, "patch", f"{SCHEDULES}/{schedule.pk}", {"cron": "0 4 * * *"}).json()
    cleared = send(api, "patch", f"{SCHEDULES}/{schedule.pk}", {"objective_hours": None}).json()

    assert {**before, "cron": "0 4 * * *", "next_slot": changed["next_slot"]} == changed
    assert (changed["objective_hours"], cleared["objective_hours"]) == (48, None)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_both_kept(api: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    address = f"{SCHEDULES}/{schedule.pk}"

    with racing_threads(1) as threads:
        pid = threads.submit(backend_pid).result()
        with transaction.atomic():
            BackupSchedule.objects.filter(pk=schedule.pk).update(name="Weekly")
            body = {"retention_keep_days": 7}
            waiting = threads.submit(lambda: send(api, "patch", address, body))
            wait_until_blocked(pid, by=backend_pid())
        changed = waiting.result().json()

    schedule.refresh_from_db()
    assert (changed["name"], changed["retention_keep_days"]) == ("Weekly", 7)
    assert (schedule.name, schedule.retention_keep_days) == ("Weekly", 7)


def test_null_clears_only_what_can_be_empty(api: Client, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)

    response = send(api, "patch", f"{SCHEDULES}/{schedule.pk}", {"name": None})

    assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "name")


def test_a_schedule_is_paused_and_resumed(api: Client, tenant: Tenant) -> None:
    address = f"{SCHEDULES}/{BackupScheduleFactory(tenant=tenant).pk}"

    paused = send(api, "post", f"{address}/pause", {"reason": "Migration"}).json()
    resumed = send(api, "post", f"{address}/resume").json()

    assert (paused["pause_reason"], paused["next_slot"]) == ("Migration", None)
    assert resumed["paused_at"] is None
    assert resumed["next_slot"] is not None


def test_tenants_are_listed_by_name_and_status(api: Client, tenant: Tenant) -> None:
    TenantFactory(workspace=tenant.workspace, name="Woodgrove", status=TenantStatus.SUSPENDED)

    def names(query: str) -> list[str]:
        return [each["name"] for each in api.get(f"/api/v1/tenants?{query}").json()["items"]]

    assert names("") == ["Fabrikam", "Woodgrove"]
    assert names("q=wood") == names("status=suspended") == ["Woodgrove"]
    assert names("limit=1&cursor=0") == ["Fabrikam"]


def test_policies_are_those_of_the_last_sync(api: Client, tenant: Tenant) -> None:
    policy = PolicyFactory(tenant=tenant, kind="compliance", name="Windows")
    PolicyFactory(tenant=tenant, missing=True)

    (row,) = api.get(f"/api/v1/tenants/{tenant.pk}/policies?kind=compliance").json()["items"]

    assert (row["id"], row["name"]) == (policy.pk, "Windows")


def test_freshness_is_listed_by_state(api: Client, tenant: Tenant) -> None:
    fresh = TenantFactory(workspace=tenant.workspace)
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=fresh)))

    def tenants(query: str) -> list[int]:
        rows = api.get(f"/api/v1/freshness?{query}").json()["items"]
        return [row["tenant"]["id"] for row in rows]

    assert tenants("") == [tenant.pk, fresh.pk]
    assert tenants("state=never") == [tenant.pk]
    assert tenants(f"cursor={tenant.pk}") == [fresh.pk]
    assert tenants("limit=1") == [tenant.pk]


def test_a_backup_set_is_listed_and_downloaded(api: Client, tenant: Tenant) -> None:
    backup_set = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    item = BackupItemFactory(backup_set=backup_set)

    (row,) = api.get(f"/api/v1/backup-sets?tenant={tenant.pk}").json()["items"]
    (listed,) = api.get(f"/api/v1/backup-sets/{row['id']}/items").json()["items"]
    download: Any = api.get(f"/api/v1/backup-sets/{row['id']}/download")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(download.streaming_content)))

    assert (row["id"], listed["id"]) == (backup_set.pk, item.pk)
    assert download["Content-Type"] == "application/zip"
    assert archive.testzip() is None
    assert len(archive.namelist()) > 1


def test_the_archive_of_an_export_is_downloaded_in_parts(
    api: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "BYTES_READ", 1000)
    content = bytes(range(256)) * 10
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    export = PolicyExportFactory(
        tenant=tenant, operation_run=run, archive=content, size=len(content)
    )
    PolicyExportFactory(tenant=tenant)

    (row,) = api.get(f"/api/v1/exports?run={run.pk}").json()["items"]
    download: Any = api.get(f"/api/v1/exports/{row['id']}/download")
    parts = list(download.streaming_content)

    assert (row["id"], row["run"], row["is_expired"]) == (export.pk, run.pk, False)
    assert ([len(part) for part in parts], b"".join(parts)) == ([1000, 1000, 560], content)
    assert (download["Content-Length"], download["Cache-Control"]) == ("2560", "no-store")
    assert download["Content-Disposition"] == f'attachment; filename="{export.file_name}"'


def test_an_expired_export_is_gone(api: Client, tenant: Tenant) -> None:
    export = PolicyExportFactory(tenant=tenant, expired=True, archive=None)

    detail = api.get(f"/api/v1/exports/{export.pk}")
    download = api.get(f"/api/v1/exports/{export.pk}/download")

    assert detail.json()["is_expired"]
    assert (download.status_code, download.json()["code"]) == (410, "export_expired")


def test_incidents_are_listed_by_state(api: Client, tenant: Tenant) -> None:
    incident = create_incident(tenant)

    (row,) = api.get("/api/v1/incidents?state=open").json()["items"]

    assert (row["id"], row["tenants"], row["is_open"]) == (incident.pk, 3, True)
    assert api.get("/api/v1/incidents?state=closed").json()["items"] == []
    cause = row["cause"]
    assert len(api.get("/api/v1/runs", {"cause": cause}).json()["items"]) == 3
