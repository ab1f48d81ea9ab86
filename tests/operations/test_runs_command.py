"""`manage.py runs`, for people and for scripts."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.factories import OperationRunFactory

pytestmark = pytest.mark.django_db


def runs(*options: str) -> str:
    out = io.StringIO()
    call_command("runs", *options, stdout=out)
    return out.getvalue()


def test_people_get_a_table_newest_first(tenant):
    older, newer = (
        OperationRunFactory(tenant=tenant, partial=True),
        OperationRunFactory(tenant=tenant),
    )

    lines = runs().splitlines()

    assert lines[0].split() == [
        "ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED",
    ]  # fmt: skip
    assert [int(line.split()[0]) for line in lines[1:]] == [newer.pk, older.pk]
    assert "partially_succeeded" in lines[2]
    assert "40/40" in lines[2]


def test_scripts_get_json(tenant):
    run = OperationRunFactory(tenant=tenant, failed=True)

    (told,) = json.loads(runs("--json"))

    assert told["id"] == run.pk
    assert told["tenant"] == "Fabrikam"
    assert told["outcome"] == "failed"
    assert told["counts"]["failed"] == 4
    assert told["failures"] == ["unexpected_error"]
    assert told["completed_at"].endswith("+00:00")


def test_type_status_and_limit_narrow_it(tenant):
    OperationRunFactory(tenant=tenant, succeeded=True)
    queued = OperationRunFactory(tenant=tenant, type="backup_schedule.retry")
    OperationRunFactory(tenant=tenant)

    assert len(json.loads(runs("--json", "--limit", "2"))) == 2
    assert len(json.loads(runs("--json", "--status", "queued"))) == 2
    (only,) = json.loads(runs("--json", "--type", "backup_schedule.retry"))
    assert only["id"] == queued.pk


def test_no_runs_is_said_and_a_wrong_status_is_refused():
    assert runs() == "No runs.\n"
    assert json.loads(runs("--json")) == []
    with pytest.raises(CommandError):
        runs("--status", "exploded")
