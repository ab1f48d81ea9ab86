"""`manage.py runs` prints a table or JSON."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from operations.models import OperationRun
from operations.presentation.summary import summarize
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.providers import ProviderConnectionFactory

pytestmark = pytest.mark.django_db


def run_command(*options: str) -> str:
    out = io.StringIO()
    call_command("runs", *options, stdout=out)
    return out.getvalue()


def test_the_default_is_a_table_with_the_newest_run_first(tenant):
    older, newer = (
        OperationRunFactory(tenant=tenant, partial=True),
        OperationRunFactory(tenant=tenant),
    )

    lines = run_command().splitlines()

    assert lines[0].split() == [
        "ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED",
    ]  # fmt: skip
    assert [int(line.split()[0]) for line in lines[1:]] == [newer.pk, older.pk]
    assert "partially_succeeded" in lines[2]
    assert "40/40" in lines[2]


def test_json_contains_every_field(tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)

    (entry,) = json.loads(run_command("--json"))

    assert entry["id"] == run.pk
    assert entry["tenant"] == "Fabrikam"
    assert entry["outcome"] == "failed"
    assert entry["counts"]["failed"] == 4
    assert entry["failures"] == ["unexpected_error"]
    assert (entry["cause"], entry["recovered_by"]) == ("", None)
    assert entry["completed_at"].endswith("+00:00")


def test_runs_are_filtered_by_type_status_and_limit(tenant):
    OperationRunFactory(tenant=tenant, succeeded=True)
    queued = OperationRunFactory(tenant=tenant, type="backup_schedule.retry")
    OperationRunFactory(tenant=tenant)

    assert len(json.loads(run_command("--json", "--limit", "2"))) == 2
    assert len(json.loads(run_command("--json", "--status", "queued"))) == 2
    (only,) = json.loads(run_command("--json", "--type", "backup_schedule.retry"))
    assert only["id"] == queued.pk


def test_an_empty_list_is_reported_and_an_invalid_status_is_refused():
    assert run_command() == "No runs.\n"
    assert json.loads(run_command("--json")) == []
    with pytest.raises(CommandError):
        run_command("--status", "exploded")


def exit_status(*options: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("runs", *options, stdout=out, stderr=out)
    except SystemExit as exit_:
        return int(str(exit_.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


@pytest.fixture
def sync(tenant, operator, monkeypatch):
    """A queued sync that the command has started; no message is sent."""
    monkeypatch.setattr("operations.services.publish", lambda wakeups: [True for _ in wakeups])
    ProviderConnectionFactory(tenant=tenant)
    status, text = exit_status("start", "inventory.sync", "Fabrikam", "--as", "olga", "--json")
    assert status == 0, text
    return json.loads(text)[0]


def test_a_start_is_that_of_the_user_and_joins_an_active_run(sync, tenant):
    run = OperationRun.objects.get(pk=sync["id"])
    assert (run.initiator_name, run.tenant, sync["created"]) == ("olga", tenant, True)

    status, text = exit_status("start", "inventory.sync", str(tenant.pk), "--as", "olga")

    assert (status, text) == (0, f"Run {run.pk} is already active.\n")


def test_a_start_needs_the_capability_and_an_object_that_the_user_sees(tenant, reader, operator):
    other = TenantFactory(name="Elsewhere")

    for arguments, message in (
        (("Fabrikam", "--as", "rita"), "Your role in Contoso Services does not include"),
        ((str(other.pk), "--as", "olga"), "olga can see no tenant"),
        (("9" * 30, "--as", "olga"), "olga can see no tenant"),
        (("Fabrikam", "--as", "olga", "--workspace", "other"), "olga can see no tenant"),
        (("Fabrikam", "--as", "ghost"), "There is no active account ghost"),
    ):
        status, text = exit_status("start", "inventory.sync", *arguments)
        assert (status, message in text) == (1, True), text
    assert not OperationRun.objects.exists()


def test_a_start_that_is_blocked_says_why(tenant, operator):
    status, text = exit_status("start", "inventory.sync", "Fabrikam", "--as", "olga")

    assert status == 5
    assert "connection" in text


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["succeeded"], 0),
        (["partial"], 3),
        (["blocked"], 5),
        (["failed"], 6),
        (["succeeded", "failed", "partial"], 6),
    ],
)
def test_the_exit_status_of_wait_is_the_worst_outcome(tenant, outcomes, status):
    runs = [OperationRunFactory(tenant=tenant, **{outcome: True}) for outcome in outcomes]

    code, text = exit_status("wait", *(str(run.pk) for run in runs), "--json")

    assert code == status
    assert [entry["id"] for entry in json.loads(text)] == [run.pk for run in runs]


@pytest.mark.parametrize("outcome", ["blocked", "failed"])
def test_wait_says_why_a_run_ended(tenant, outcome):
    run = OperationRunFactory(tenant=tenant, **{outcome: True})
    summary = summarize(run)
    assert summary.detail

    _, text = exit_status("wait", str(run.pk))

    assert text.splitlines()[:2] == [f"Run {run.pk}: {summary.headline}", summary.detail]
    assert text == exit_status("show", str(run.pk))[1]


def test_wait_ends_at_its_timeout(sync):
    code, text = exit_status("wait", str(sync["id"]), "--timeout", "0")

    waiting = "Inventory sync for Fabrikam is waiting for a worker."
    assert (code, text) == (7, f"Run {sync['id']}: {waiting}\n")


def test_a_run_is_cancelled_shown_and_retried(sync, manager, reader):
    run_id = str(sync["id"])

    refused, message = exit_status("cancel", run_id, "--as", "rita")
    assert (refused, "does not allow" in message) == (1, True)
    assert exit_status("cancel", run_id, "--as", "marc", "--reason", "Too late")[0] == 0
    assert exit_status("wait", run_id)[0] == 4
    again, message = exit_status("cancel", run_id, "--as", "marc")
    assert (again, "has already ended" in message) == (1, True)

    assert "was cancelled by marc" in exit_status("show", run_id)[1]
    (details,) = json.loads(exit_status("show", run_id, "--json")[1])
    assert (details["initiator"], details["outcome"]) == ("olga", "cancelled")

    (retry,) = json.loads(exit_status("retry", run_id, "--as", "marc", "--json")[1])
    assert OperationRun.objects.get(pk=retry["id"]).retry_of_id == sync["id"]


def test_wrong_ids_change_nothing(sync):
    for command in ("cancel", "retry"):
        status, text = exit_status(command, str(sync["id"]), "123456789", "--as", "olga")
        assert (status, text) == (1, "There is no run 123456789.")
    assert exit_status("wait", "123456789") == (1, "There is no run 123456789.")
    for text in ("0x1", "-1", "9" * 30, "x"):
        assert exit_status("wait", text)[0] == 1
    assert OperationRun.objects.get().status == "queued"


@pytest.mark.parametrize("timeout", ["-1", "nan", "1e400", "soon"])
def test_an_invalid_timeout_is_refused(timeout):
    assert exit_status("wait", "1", "--timeout", timeout)[0] == 1
