"""The demo data: idempotent, rejected in production, and with realistic runs."""

from __future__ import annotations

import json
import stat
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from backups.models import BackupSchedule
from backups.tick import tick
from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import SandboxProcess
from operations.models import OperationRun
from operations.worker.execution import execute
from providers.models import ProviderConnection
from tenancy.models import Membership, Tenant, User

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings: Settings, tmp_path: Path) -> Path:
    settings.DEMO_DATA_ALLOWED = True
    settings.BASE_DIR = tmp_path
    settings.GRAPH_SANDBOX_URL = ""
    return tmp_path


def run() -> list[str]:
    out = StringIO()
    call_command("demo_data", stdout=out)
    return out.getvalue().splitlines()


def test_demo_data_is_rejected_outside_development() -> None:
    with pytest.raises(CommandError, match="only in development"):
        run()

    assert not User.objects.exists()


def test_every_demo_user_can_sign_in_with_the_printed_password(demo: Path, client: Client) -> None:
    logins = [line.split("  ") for line in run()[-5:]]

    assert [role for role, _, _ in logins] == ["reader", "operator", "manager", "owner", "staff"]
    for role, username, password in logins:
        response = client.post("/sign-in/", {"username": username, "password": password})
        assert response.status_code == 302, role
        client.logout()


def test_a_second_call_changes_nothing(demo: Path) -> None:
    first = run()
    models = (User, Membership, Tenant, ProviderConnection, BackupSchedule, OperationRun)
    counts = [model.objects.count() for model in models]

    second = run()

    assert second[-5:] == first[-5:]
    assert [model.objects.count() for model in models] == counts


def test_only_the_owner_can_read_the_password_file(demo: Path) -> None:
    run()

    path = demo / ".dev" / "demo-logins.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {"rita", "olga", "marc", "owen", "sara"}


def test_without_a_graph_sandbox_a_warning_is_printed(demo: Path) -> None:
    lines = run()

    assert lines[0].startswith("The tenants were not added to a Graph sandbox")
    assert Tenant.objects.count() == 6


def test_a_credential_that_cannot_be_read_is_replaced(
    demo: Path,
    graph: SandboxControl,
    graph_sandbox: SandboxProcess,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.GRAPH_SANDBOX_URL = graph_sandbox.url
    monkeypatch.setenv("GRAPH_SANDBOX_TOKEN", graph_sandbox.token)
    run()
    one, other = ProviderConnection.objects.all()[:2]
    foreign = ProviderConnection.objects.filter(pk=one.pk)
    foreign.update(encrypted_credential=other.encrypted_credential)

    run()

    assert ProviderConnection.objects.get(pk=one.pk).credential() != other.credential()


def test_the_demo_backups_have_the_intended_outcomes(
    demo: Path,
    graph: SandboxControl,
    graph_sandbox: SandboxProcess,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.GRAPH_SANDBOX_URL = graph_sandbox.url
    monkeypatch.setenv("GRAPH_SANDBOX_TOKEN", graph_sandbox.token)
    run()
    every_minute = BackupSchedule.objects.get(cron="* * * * *")
    assert every_minute.next_run_at

    tick(every_minute.next_run_at + every_minute.spread)

    for queued in OperationRun.objects.active():
        execute(queued.pk)
    ended = {
        ended.tenant.name: (ended.outcome, sorted({entry["code"] for entry in ended.failures}))
        for ended in OperationRun.objects.with_scope().filter(type__startswith="backup_schedule.")
        if ended.tenant
    }
    assert ended == {
        "Fabrikam Manufacturing": ("succeeded", []),
        "Northwind Traders": ("succeeded", []),
        "Adatum Health": ("partially_succeeded", ["permission_missing"]),
        "Tailspin Toys": ("blocked", ["credential_expired"]),
        "Litware Legal": ("succeeded", []),
    }
