"""The audit log of a workspace, and the history on the pages of objects."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from audit.context import audited_request
from audit.events import record
from audit.models import AuditEntry
from audit.presentation import actor_of
from audit.templatetags.audit import MAX_ENTRIES
from backups import services
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import (
    MembershipFactory,
    OperationRunFactory,
    TenantFactory,
    create_member,
)
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore
from tests.support.sessions import open_session
from web import csv_export

pytestmark = pytest.mark.django_db
LOG = "/w/contoso/audit-log/"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    return open_session(client, owner)


def text_of(client: Client, path: str, **params: Any) -> str:
    response = client.get(path, params)
    assert response.status_code == 200, response.content.decode()
    return " ".join(response.content.decode().split())


def suspend(page: Client, tenant: Tenant) -> None:
    address = reverse("tenant_suspend", args=["contoso", tenant.pk])
    page.post(address, {"reason": "Contract ended"}, REMOTE_ADDR="192.0.2.7")


def test_a_change_is_shown_with_both_values(page: Client, tenant: Tenant) -> None:
    suspend(page, tenant)

    html = text_of(page, LOG, action="updated")

    assert "<strong>Tenant changed</strong>" in html
    assert f'<a href="{tenant.get_absolute_url()}"><bdi>Fabrikam</bdi></a>' in html
    assert "<del><bdi>Active</bdi></del>" in html
    assert "<ins><bdi>Suspended</bdi></ins>" in html
    assert "owen" in html
    assert "192.0.2.7" in html


def test_the_fields_of_a_change_are_named_as_on_the_form_of_the_object(
    page: Client, tenant: Tenant
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, timezone="Europe/Berlin", kinds=["compliance"])
    schedule.timezone, schedule.kinds = "Europe/Paris", ["conditional_access"]
    schedule.misfire_grace = dt.timedelta(hours=3)
    services.save(schedule)
    ProviderConnectionFactory(tenant=tenant, is_default=True)

    history = text_of(page, schedule.get_absolute_url())
    html = text_of(page, LOG)

    for label in ("Time zone", "Scope", "Grace period"):
        assert f'<span class="difference-label">{label}</span>' in history, label
    assert '<span class="difference-label">Default connection</span>' in html
    for name in ("Timezone", "Kinds", "Misfire grace", "Is default"):
        assert f">{name}</span>" not in html, name


def test_a_secret_is_shown_as_changed(page: Client, tenant: Tenant) -> None:
    graph = ProviderConnectionFactory(tenant=tenant)
    graph.set_credential("canary-secret")

    html = text_of(page, LOG, kind="provider_connections", action="updated")

    assert "changed, value not recorded" in html
    assert "canary-secret" not in html
    assert graph.encrypted_credential not in html


def test_users_are_shown_by_name(page: Client, owner: User, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    page.post(reverse("schedule_pause", args=["contoso", schedule.pk]), {"reason": "Maintenance"})

    assert "<ins><bdi>owen</bdi></ins>" in text_of(page, LOG, kind="backup_schedules")


def test_a_user_who_is_recorded_by_account_and_by_name_is_shown_once(
    page: Client, owner: User, tenant: Tenant
) -> None:
    create_restore(tenant, requested_by=owner, requested_by_name="owen")

    html = text_of(page, LOG, kind="restore_runs", action="created")

    label = '<span class="difference-label">Requested by</span>'
    assert html.count(label) == 1
    assert f"{label} <bdi>owen</bdi>" in html


def test_direct_sql_is_shown_as_such(page: Client, tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.audit', '', true)")
        cursor.execute("/* not by Runledger */ UPDATE tenants SET name = 'Renamed'")
        cursor.execute("SELECT session_user")
        role = cursor.fetchone()[0]

    assert f"Direct SQL by {role}" in text_of(page, LOG, q="Renamed", action="updated")


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR, Role.MANAGER])
@pytest.mark.parametrize("path", [LOG, f"{LOG}export/"])
def test_only_owners_can_read_it(
    client: Client, workspace: Workspace, role: Role, path: str
) -> None:
    open_session(client, create_member(workspace, role))

    assert client.get(path).status_code == 403


def test_it_contains_no_entry_of_another_workspace(page: Client, stranger: User) -> None:
    elsewhere = stranger.memberships.get().workspace
    TenantFactory(workspace=elsewhere, name="Tenant of others")
    record("sign_in_failed", user=stranger)
    record("sign_in_failed", subject="name of no user")

    everything = text_of(page, LOG) + b"".join(page.get(f"{LOG}export/")).decode()

    assert "Tenant of others" not in everything
    assert "stranger.sam" not in everything
    assert "name of no user" not in everything


Narrow = Callable[[Workspace, Tenant], dict[str, str]]


@pytest.mark.parametrize(
    "narrow",
    [
        lambda workspace, tenant: {"q": "fabri"},
        lambda workspace, tenant: {"q": "192.0.2"},
        lambda workspace, tenant: {"kind": "tenants"},
        lambda workspace, tenant: {"tenant": str(tenant.pk)},
        lambda workspace, tenant: {"object": f"tenants/{tenant.pk}"},
        lambda workspace, tenant: {"action": "updated", "since": "2020-01-01"},
    ],
)
def test_every_filter_narrows_the_list(
    page: Client, workspace: Workspace, tenant: Tenant, narrow: Narrow
) -> None:
    suspend(page, tenant)
    create_member(workspace, username="nora")

    html = text_of(page, LOG, **narrow(workspace, tenant))

    assert "Tenant changed" in html
    assert "<bdi>nora</bdi>" not in html


@pytest.mark.parametrize(
    "params",
    [
        {"until": "2020-01-01"},
        {"since": "2199-01-01"},
        {"since": "2020-01-01", "since_hour": "3", "until": "2020-01-01", "until_hour": "23"},
    ],
)
def test_days_without_entries(page: Client, tenant: Tenant, params: dict[str, str]) -> None:
    assert "No entry matches the filter." in text_of(page, LOG, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "restore_items"},
        {"action": "nonsense"},
        {"since": "2026-02-30"},
        {"since": "2026-03-08", "since_hour": "24"},
        {"until_hour": "3"},
        {"until": "1999-01-01"},
        {"since": "\u0661\u0662\u0663\u0664-01-01"},
        {"object": "tenants/x"},
        {"object": "pg_authid/1"},
        {"tenant": "0"},
        {"older": "nonsense"},
    ],
)
def test_an_invalid_filter_is_an_error(page: Client, params: dict[str, str]) -> None:
    assert page.get(LOG, params).status_code == 400
    if "older" not in params:
        assert page.get(f"{LOG}export/", params).status_code == 400


def test_older_entries_are_on_further_pages(page: Client, workspace: Workspace) -> None:
    for number in range(80):
        record("sign_in_failed", workspace=workspace, subject=f"name-{number:03}")

    seen, path = [], f"{LOG}?action=sign_in_failed"
    for _ in range(3):
        html = text_of(page, path)
        seen += [number for number in range(80) if f"name-{number:03}" in html]
        _, _, rest = html.partition('rel="next" href="')
        path = LOG + rest.partition('"')[0].replace("&amp;", "&")

    assert sorted(seen) == list(range(80))


def test_the_export_contains_the_filtered_entries(
    page: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "ROWS_READ", 2)
    for name in ("=cmd()", "Second", "Third"):
        tenant.name = name
        tenant.save()

    response = page.get(f"{LOG}export/", {"kind": "tenants", "action": "updated"})
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))

    assert [row["object"] for row in rows] == ["Third", "Second", "'=cmd()"]
    assert rows[0]["changes"] == '{"name": ["Second", "Third"]}'
    assert rows[0]["kind"] == "Tenant"


FILL = """
SELECT count(audit_record_event('signed_in', NULL, 'name', workspace, '{}', '{}'))
FROM generate_series(1, 3000), unnest(%s::bigint[]) workspace
"""


def test_the_newest_page_reads_one_index(stranger: User, workspace: Workspace) -> None:
    other = stranger.memberships.get().workspace
    with connection.cursor() as cursor:
        cursor.execute(FILL, [[workspace.pk, other.pk]])
        cursor.execute("ANALYZE audit_entries")
        cursor.execute(
            "EXPLAIN SELECT * FROM audit_entries WHERE workspace_id = %s AND"
            " ROW(created_at, id) < ROW(now() - interval '1 hour', 7)"
            " ORDER BY created_at DESC, id DESC LIMIT 51",
            [workspace.pk],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Scan" in plan
    assert "Sort" not in plan


# --- History --------------------------------------------------------------------------------------


@pytest.fixture
def objects(tenant: Tenant) -> dict[str, str]:
    """The page of an object of each kind, by the title of the change that it shows."""
    schedule = BackupScheduleFactory(tenant=tenant)
    graph = ProviderConnectionFactory(tenant=tenant)
    restore = create_restore(tenant)
    return {
        "Tenant added": tenant.get_absolute_url(),
        "Schedule added": schedule.get_absolute_url(),
        "Connection added": graph.get_absolute_url(),
        "Restore added": restore.get_absolute_url(),
        "Member added": reverse("member_list", args=["contoso"]),
    }


def test_every_object_page_shows_its_history_to_members(
    client: Client, reader: User, objects: dict[str, str]
) -> None:
    open_session(client, reader)
    for title, path in objects.items():
        html = text_of(client, path)
        assert "object-history" in html, title
        assert title in html


def test_the_settings_show_the_history_of_the_workspace(page: Client, workspace: Workspace) -> None:
    workspace.restores_need_approval = True
    workspace.save()

    html = text_of(page, reverse("workspace_edit", args=["contoso"]))

    assert "<strong>Workspace changed</strong>" in html
    assert "<del><bdi>No</bdi></del>" in html


def test_the_history_of_a_member_survives_the_removal(
    page: Client, workspace: Workspace, reader: User
) -> None:
    Membership.objects.filter(user=reader).delete()

    assert "<strong>Member deleted</strong>: <bdi>rita</bdi>" in text_of(
        page, reverse("member_list", args=["contoso"])
    )


@pytest.mark.parametrize("role", [Role.READER, Role.OWNER])
def test_a_long_history_links_owners_to_the_log(
    client: Client, workspace: Workspace, tenant: Tenant, role: Role
) -> None:
    open_session(client, create_member(workspace, role))
    for number in range(MAX_ENTRIES + 1):
        Tenant.objects.filter(pk=tenant.pk).update(name=f"Name {number}")

    html = text_of(client, tenant.get_absolute_url())

    assert html.count("<strong>Tenant changed</strong>") == MAX_ENTRIES
    link = f"{LOG}?object=tenants/{tenant.pk}"
    assert (link in html) is (role == Role.OWNER)


def test_the_history_shows_no_address(client: Client, reader: User, tenant: Tenant) -> None:
    """The log shows addresses of people, to owners."""
    with audited_request(RequestFactory().post("/", REMOTE_ADDR="192.0.2.77")):
        Tenant.objects.filter(pk=tenant.pk).update(name="Renamed")
    open_session(client, reader)

    assert AuditEntry.objects.filter(address="192.0.2.77").exists()
    assert "192.0.2.77" not in text_of(client, tenant.get_absolute_url())


@pytest.mark.parametrize(
    ("origin", "actor"),
    [
        ("task operations.tasks.execute_operation_run", "Worker"),
        ("command rotate_credentials", "Command rotate_credentials"),
        ("program gunicorn", "Runledger"),
        ("page", "Not signed in"),
    ],
)
def test_no_page_names_a_module_of_the_code(origin: str, actor: str) -> None:
    assert actor_of(AuditEntry(origin=origin)) == actor


def test_a_change_of_a_worker_links_to_its_run(page: Client, tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, running=True)
    with structlog.contextvars.bound_contextvars(run_id=run.pk):
        Tenant.objects.filter(pk=tenant.pk).update(name="By a worker")

    assert f'<a href="{run.get_absolute_url()}">Run #{run.pk}</a>' in text_of(
        page, LOG, action="updated"
    )


def test_the_account_page_shows_the_activity_of_the_account_once(
    client: Client, owner: User, operator: User
) -> None:
    MembershipFactory(user=owner)
    record("sign_in_failed", user=owner)
    record("sign_in_locked", user=operator)
    open_session(client, owner)

    page = client.get("/account/").content.decode()

    assert AuditEntry.objects.filter(action="sign_in_failed").count() == 2
    assert page.count("<strong>Sign-in failed</strong>") == 1
    assert "Sign-in locked" not in page
