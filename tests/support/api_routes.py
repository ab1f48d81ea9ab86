"""Every operation of the API with its required capability and its answer, as `routes` has the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.test import Client
from django.urls import reverse

from api.document import document_text
from api.urls import api
from tenancy.roles import Capability

Json = dict[str, Any]


@dataclass(frozen=True)
class ApiRoute:
    """An operation. `body` takes the ids of the own workspace; `status` answers a permitted token."""

    name: str
    method: str = "get"
    capability: Capability = Capability.VIEW
    ids: tuple[str, ...] = ()
    body: Callable[[Json], Json] | None = field(default=None, compare=False)
    status: int = 200

    def url(self, ids: Json, missing: int = 2**40) -> str:
        """The address; an id that is not among `ids` is that of no object."""
        return reverse(
            f"api:{self.name}", kwargs={name: ids.get(name, missing) for name in self.ids}
        )

    def send(self, client: Client, ids: Json, *, body_ids: Json | None = None) -> Any:
        """Send the request for these objects."""
        body = self.body(body_ids or ids) if self.body else None
        return send(client, self.method, self.url(ids), body)


def send(client: Client, method: str, address: str, body: Any = None, **headers: str) -> Any:
    """Send a request with a JSON body."""
    content = {} if body is None else {"data": body, "content_type": "application/json"}
    return getattr(client, method)(address, **content, headers=headers or None)


def change(
    name: str, capability: Capability, *ids: str, body: Any = None, status: int = 200, **values: Any
) -> ApiRoute:
    return ApiRoute(name, values.pop("method", "post"), capability, ids, body, status)


API_ROUTES = [
    ApiRoute("workspace_detail"),
    ApiRoute("operation_list"),
    ApiRoute("run_list"),
    change(
        "run_start",
        Capability.START_SYNC,
        body=lambda ids: {"type": "inventory.sync", "tenant": ids["tenant_id"]},
        status=201,
    ),
    ApiRoute("run_detail", ids=("run_id",)),
    ApiRoute("run_events", ids=("run_id",)),
    ApiRoute("run_items", ids=("run_id",)),
    # Another user started the run of these tests, which has failed.
    change("run_cancel", Capability.CANCEL_ANY_RUN, "run_id", status=409),
    change("run_retry", Capability.RETRY_RUN, "run_id", status=201),
    change("run_again", Capability.RETRY_RUN, "run_id", status=409),
    change("run_acknowledge", Capability.ACKNOWLEDGE_RUN, "run_id"),
    ApiRoute("incident_list"),
    ApiRoute("incident_detail", ids=("incident_id",)),
    ApiRoute("tenant_list"),
    ApiRoute("tenant_detail", ids=("tenant_id",)),
    ApiRoute("policy_list", ids=("tenant_id",)),
    ApiRoute("freshness_list"),
    ApiRoute("schedule_list"),
    change(
        "schedule_create",
        Capability.MANAGE_SCHEDULES,
        body=lambda ids: {"tenant": ids["tenant_id"], "name": "Hourly", "cron": "0 * * * *"},
        status=201,
    ),
    ApiRoute("schedule_detail", ids=("schedule_id",)),
    change(
        "schedule_edit",
        Capability.MANAGE_SCHEDULES,
        "schedule_id",
        method="patch",
        body=lambda ids: {"cron": "0 4 * * *"},
    ),
    change("schedule_pause", Capability.MANAGE_SCHEDULES, "schedule_id"),
    change("schedule_resume", Capability.MANAGE_SCHEDULES, "schedule_id"),
    ApiRoute("backup_set_list"),
    ApiRoute("backup_set_detail", ids=("set_id",)),
    ApiRoute("backup_item_list", ids=("set_id",)),
    ApiRoute("backup_set_download", capability=Capability.EXPORT_POLICIES, ids=("set_id",)),
    ApiRoute("export_list", capability=Capability.EXPORT_POLICIES),
    ApiRoute("export_detail", capability=Capability.EXPORT_POLICIES, ids=("export_id",)),
    ApiRoute("export_download", capability=Capability.EXPORT_POLICIES, ids=("export_id",)),
    ApiRoute("restore_list"),
    change(
        "restore_create",
        Capability.RESTORE,
        body=lambda ids: {"backup_set": ids["set_id"], "items": [ids["item_id"]]},
        status=201,
    ),
    ApiRoute("restore_detail", ids=("restore_id",)),
    # The restore of these tests has no conflict and is not confirmed by this digest.
    change(
        "restore_decide",
        Capability.RESTORE,
        "restore_id",
        body=lambda ids: {"decisions": [{"item": 1, "decision": "keep"}]},
        status=400,
    ),
    change(
        "restore_execute",
        Capability.RESTORE,
        "restore_id",
        body=lambda ids: {"decision_digest": "other", "tenant_name": "Fabrikam"},
        status=409,
    ),
    change("restore_discard", Capability.RESTORE, "restore_id"),
]


@cache
def document() -> Json:
    """Return the OpenAPI document."""
    schema: Json = json.loads(document_text(api))
    return schema


def documented_operations() -> dict[str, tuple[str, str]]:
    """Return the method and the path of each operation of the OpenAPI document by its name."""
    return {
        operation["operationId"]: (method, path)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }
