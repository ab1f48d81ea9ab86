"""Who made a change, according to the audit logs of the tenant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backups.models import AuthorGap, BackupSchedule, PolicyChange
from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.resources import READ_PERMISSIONS
from operations.models import OperationRun
from operations.states import RunOutcome
from providers.graph.audit_logs import DIRECTORY, INTUNE, Event
from providers.graph.tokens import forget_all_tokens
from providers.models import ProviderConnection
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]
AddToGraph = Callable[..., ProviderConnection]
Edited = Callable[..., dict[str, PolicyChange]]


@pytest.fixture
def edited(
    tenant: Tenant, back_up: BackUp, graph: SandboxControl, add_to_graph: AddToGraph
) -> Edited:
    """Back up a tenant before and after an administrator edits a policy of each kind."""

    def edit(*kinds: str, fault: str = "", **options: Any) -> dict[str, PolicyChange]:
        add_to_graph(tenant, **options)
        if fault:
            graph.fault(tenant.external_id, fault, kind="audit_events")
        schedule = BackupScheduleFactory(tenant=tenant, kinds=list(kinds))
        back_up(schedule)
        for kind in kinds:
            graph.fault(tenant.external_id, "edited", kind=kind, times=1)
        run = back_up(schedule)
        assert run.outcome == RunOutcome.SUCCEEDED, run.failures
        return {change.kind: change for change in PolicyChange.objects.filter(tenant=tenant)}

    return edit


def test_a_change_has_the_author_of_the_audit_log_of_its_kind(
    tenant: Tenant, edited: Edited, graph: SandboxControl
) -> None:
    changes = edited("compliance", "conditional_access")

    for kind in ("compliance", "conditional_access"):
        change = changes[kind]
        assert change.author.endswith("@example.com")
        assert change.author_gap == ""
        assert change.changed_at
        assert change.changed_at <= change.created_at
    paths = {entry["path"] for entry in graph.log(tenant.external_id)}
    assert {INTUNE.path, DIRECTORY.path} <= paths


def test_a_backup_without_changes_does_not_read_the_audit_log(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    back_up(schedule)
    back_up(schedule)

    paths = {entry["path"] for entry in graph.log(schedule.tenant.external_id)}
    assert not paths & {INTUNE.path, DIRECTORY.path}


def test_a_missing_permission_is_shown_and_does_not_fail_the_backup(
    client: Client, reader: User, tenant: Tenant, edited: Edited, graph: SandboxControl
) -> None:
    granted = [each for each in READ_PERMISSIONS if each != "AuditLog.Read.All"]
    forget_all_tokens()
    open_session(client, reader)

    changes = edited("compliance", "conditional_access", permissions=granted)

    assert changes["compliance"].author
    assert changes["conditional_access"].author_gap == AuthorGap.PERMISSION
    text = client.get("/w/contoso/changes/").content.decode()
    assert "Author not known" in text
    assert "Permission missing: AuditLog.Read.All and Directory.Read.All." in text
    assert DIRECTORY.path not in {entry["path"] for entry in graph.log(tenant.external_id)}


@pytest.mark.parametrize("fault", ["server_error", "garbage", "license", "loop_next_link"])
def test_an_audit_log_that_cannot_be_read_does_not_fail_the_backup(
    edited: Edited, short_retry_waits: None, fault: str
) -> None:
    changes = edited("compliance", fault=fault)

    assert changes["compliance"].author_gap == AuthorGap.UNREADABLE


def test_a_change_without_an_entry_says_so(
    schedule: BackupSchedule, back_up: BackUp, graph: SandboxControl
) -> None:
    back_up(schedule)
    tenant_id = schedule.tenant.external_id
    policy = graph.objects(tenant_id, "conditional_access")[0]
    graph.put_object(tenant_id, "conditional_access", policy | {"state": "in doubt"})

    back_up(schedule)

    assert PolicyChange.objects.get().author_gap == AuthorGap.NOT_LOGGED


class FakeClient:
    """Returns these entries; the parsing of entries is tested without a server."""

    def __init__(self, *entries: Any) -> None:
        self._entries = entries

    def list(self, path: str, params: dict[str, str]) -> Any:
        yield from self._entries


AT = "2026-03-08T02:00:00.1234567Z"
EXPECTED = dt.datetime(2026, 3, 8, 2, 0, 0, 123456, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("actor", "author"),
    [
        (
            {"userPrincipalName": "dana@x.example", "applicationDisplayName": "Portal"},
            "dana@x.example",
        ),
        ({"userPrincipalName": "", "applicationDisplayName": "Deploy"}, "Deploy"),
        ({"userPrincipalName": None, "servicePrincipalName": "spn"}, "spn"),
    ],
)
def test_the_author_in_intune_is_the_user_or_else_the_application(
    actor: dict[str, Any], author: str
) -> None:
    entry = {"activityDateTime": AT, "actor": actor, "resources": [{"resourceId": "a"}]}

    events = INTUNE.events(FakeClient(entry), EXPECTED, EXPECTED)  # type: ignore[arg-type]

    assert events == [Event("a", EXPECTED, author)]


@pytest.mark.parametrize(
    ("initiator", "author"),
    [
        ({"user": {"userPrincipalName": "dana@x.example"}, "app": None}, "dana@x.example"),
        ({"user": {"userPrincipalName": None, "id": "7"}}, "7"),
        ({"user": None, "app": {"displayName": "Deploy"}}, "Deploy"),
    ],
)
def test_the_author_in_entra_is_the_user_or_else_the_application(
    initiator: dict[str, Any], author: str
) -> None:
    entry = {
        "activityDateTime": AT,
        "result": "success",
        "initiatedBy": initiator,
        "targetResources": [{"id": "a"}],
    }

    events = DIRECTORY.events(FakeClient(entry), EXPECTED, EXPECTED)  # type: ignore[arg-type]

    assert events == [Event("a", EXPECTED, author)]


@pytest.mark.parametrize(
    "broken",
    [
        {"activityDateTime": None},
        {"activityDateTime": "yesterday"},
        {"activityDateTime": "2026-02-30T00:00:00Z"},
        {"activityResult": "Failure"},
        {"actor": None},
        {"actor": {"userPrincipalName": 7}},
        {"resources": None},
        {"resources": [None, 7, {"resourceId": None}]},
    ],
    ids=str,
)
def test_an_entry_that_is_no_success_or_not_readable_is_ignored(broken: dict[str, Any]) -> None:
    entry = {
        "activityDateTime": AT,
        "activityResult": "Success",
        "actor": {"userPrincipalName": "dana@x.example"},
        "resources": [{"resourceId": "a"}],
    }

    assert INTUNE.events(FakeClient(entry | broken), EXPECTED, EXPECTED) == []  # type: ignore[arg-type]
