"""A restore with a token: preview, decisions and execution."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from operations.models import OperationRun
from operations.testing import run_now
from restores import services
from restores.models import RestoreRun
from tenancy.models import Workspace
from tenancy.roles import Role
from tests.support.api_routes import send
from tests.support.factories import create_member
from tests.support.restores import RestoreScenario

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

RESTORES = "/api/v1/restores"


def preview(api: Client, scenario: RestoreScenario, **headers: str) -> Any:
    """Change an object in the tenant, and preview a restore of it."""
    (item, *_) = scenario.items("compliance")
    scenario.change(item, description="Changed outside of Runledger")
    body = {"backup_set": scenario.backup_set.pk, "items": [item.pk]}
    response = send(api, "post", RESTORES, body, **headers)
    assert response.status_code in (200, 201), response.content
    return response


def test_a_restore_is_previewed_decided_and_executed(
    api: Client, scenario: RestoreScenario
) -> None:
    created = preview(api, scenario, **{"Idempotency-Key": "one"})
    repeated = preview(api, scenario, **{"Idempotency-Key": "one"})
    restore = created.json()
    address = f"{RESTORES}/{restore['id']}"
    assert (created.status_code, repeated.status_code) == (201, 200)
    assert repeated.json()["id"] == restore["id"]

    run_now(OperationRun.objects.get(pk=restore["preview_run"]))
    (item,) = api.get(address).json()["items"]
    assert item["action"] == "conflict"

    execution = {"decision_digest": "0" * 64, "tenant_name": scenario.tenant.name}
    undecided = send(api, "post", f"{address}/execute", execution)
    decisions = {"decisions": [{"item": item["id"], "decision": "take"}]}
    both = {"decisions": [{"item": item["id"], "decision": "keep"}, *decisions["decisions"]]}
    assert send(api, "post", f"{address}/decide", both).status_code == 400
    decided = send(api, "post", f"{address}/decide", decisions).json()
    outdated = send(api, "post", f"{address}/execute", execution)
    execution["decision_digest"] = decided["decision_digest"]
    misnamed = send(api, "post", f"{address}/execute", {**execution, "tenant_name": "Other"})
    executed = send(api, "post", f"{address}/execute", execution)

    refusals = [response.status_code for response in (undecided, outdated, misnamed)]
    assert refusals == [409, 409, 400]
    assert (outdated.json()["code"], "page" in outdated.text) == ("outdated_review", False)
    assert "Get the restore" in outdated.json()["detail"]
    assert [error["name"] for error in misnamed.json()["errors"]] == ["tenant_name"]
    assert executed.status_code == 201
    run = run_now(OperationRun.objects.get(pk=executed.json()["id"]))
    assert run.outcome == "succeeded"
    (item,) = api.get(address).json()["items"]
    assert item["state"] == "verified"
    assert send(api, "post", f"{address}/discard").status_code == 409


def test_a_token_executes_only_what_a_person_has_approved(
    api: Client, scenario: RestoreScenario, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(restores_need_approval=True)
    restore = RestoreRun.objects.get(pk=preview(api, scenario).json()["id"])
    assert restore.preview_run
    run_now(restore.preview_run)
    (item,) = restore.items.all()
    address = f"{RESTORES}/{restore.pk}"
    decisions = {"decisions": [{"item": item.pk, "decision": "take"}]}
    digest = send(api, "post", f"{address}/decide", decisions).json()["decision_digest"]
    execution = {"decision_digest": digest, "tenant_name": scenario.tenant.name}

    refused = send(api, "post", f"{address}/execute", execution)
    services.approve(restore, by=create_member(workspace, Role.MANAGER), decision_digest=digest)
    executed = send(api, "post", f"{address}/execute", execution)

    assert (refused.status_code, executed.status_code) == (409, 201)
    assert "approve" in refused.json()["detail"]
