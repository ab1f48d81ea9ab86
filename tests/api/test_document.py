"""The OpenAPI document, and the API against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client, override_settings
from hypothesis import HealthCheck, Phase, given
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks as openapi

from tenancy.roles import Role
from tests.support.api_routes import document
from tests.support.database import SharedRows, rolled_back
from tests.support.factories import (
    OperationRunFactory,
    TenantFactory,
    WorkspaceFactory,
    create_member,
)
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
)
from tests.support.factories.incidents import create_incident
from tests.support.factories.restores import create_restore
from tests.support.tokens import open_api

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
#: Requests of each operation and kind of data.
EXAMPLES = 5
#: These checks need several requests, and have tests of their own; valid data can be refused for what
#: a schema cannot say, such as a tenant that does not exist.
NOT_CHECKED = [
    openapi.ensure_resource_availability,
    openapi.use_after_free,
    openapi.ignored_auth,
    openapi.positive_data_acceptance,
]


def test_the_committed_document_is_current() -> None:
    """`manage.py openapi_document > docs/openapi.json`."""
    assert json.loads(FILE.read_text()) == document()


def test_the_document_is_served_without_sign_in(client: Client) -> None:
    response = client.get("/api/v1/openapi.json")

    assert response.status_code == 200
    assert response.json() == document()
    assert document()["openapi"].startswith("3.1.")


@pytest.fixture(scope="module")
def ids(shared_rows: SharedRows) -> dict[str, Any]:
    """Objects of a workspace, and the header with a token."""
    with shared_rows():
        tenant = TenantFactory(workspace=WorkspaceFactory(slug="ours"))
        schedule = BackupScheduleFactory(tenant=tenant)
        backup_set = BackupSetFactory(schedule=schedule)
        BackupItemFactory(backup_set=backup_set)
        client = open_api(create_member(tenant.workspace, Role.OWNER), tenant.workspace)
        return {
            "run_id": OperationRunFactory(tenant=tenant, failed=True).pk,
            "tenant_id": tenant.pk,
            "schedule_id": schedule.pk,
            "set_id": backup_set.pk,
            "export_id": PolicyExportFactory(tenant=tenant).pk,
            "restore_id": create_restore(tenant).pk,
            "incident_id": create_incident(tenant).pk,
            "Authorization": client.defaults["HTTP_AUTHORIZATION"],
        }


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """Let requests use the connection of the test, in whose transaction the rows are."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("db", "kept_connection")
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_api_keeps_what_its_document_promises(
    ids: dict[str, Any], mode: GenerationMode
) -> None:
    """Neither valid nor invalid data leads to an error of the server or an undocumented answer."""
    # Otherwise requests without the token would count as invalid, which all of them have.
    schema = schemathesis.openapi.from_dict({**document(), "security": []})
    schema.app = WSGIHandler()
    statuses: set[int] = set()
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        if mode is GenerationMode.NEGATIVE and not _can_be_invalid(operation):
            continue
        names = [parameter.name for parameter in operation.path_parameters]
        path = {name: ids[name] for name in names}
        cases = operation.as_strategy(mode, path_parameters=path or None)

        @given(case=cases)
        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def send(case: schemathesis.Case[Any]) -> None:
            with rolled_back():
                response = case.call(headers={"Authorization": ids["Authorization"]})
            statuses.add(response.status_code)
            case.validate_response(response, excluded_checks=NOT_CHECKED)

        with override_settings(API_REQUESTS_PER_MINUTE=100_000):
            send()

    expected = {200, 201} if mode is GenerationMode.POSITIVE else {400}
    assert statuses >= expected


def _can_be_invalid(operation: Any) -> bool:
    return bool(operation.body or operation.query)
