"""`manage.py runs` prints a table or JSON."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.factories import OperationRunFactory

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
