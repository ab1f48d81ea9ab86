"""What workers do in a campaign besides the product's own operations.

`policy.export` is given a handler with effects in the Graph sandbox, so that work done twice can be seen
from outside. With `CHAOS_CONTROL` a promise is broken on purpose (`dev/chaos/controls.py`).
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from django.conf import settings

from dev.chaos import controls
from operations.testing import override_handler
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client_for
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError
from providers.handling import raise_if_blocking

EFFECTS = 3
LOCATIONS = "/v1.0/identity/conditionalAccess/namedLocations"


def effect_key(work: int, number: int) -> str:
    """What one item of one piece of work is called, whichever run of its chain does it."""
    return f"export {work} effect {number}"


def effect_name(key: str, run_id: int) -> str:
    """The name of the object that is created for an item: it tells who has created it."""
    return f"{key} by run {run_id}"


def make_effects(run: ActiveRun) -> None:
    """Create one object in the Graph sandbox for each item that no earlier run of the chain has done.

    A run does not look for objects of its own: one that is done twice is to be seen, and so is an
    earlier run that works on beside its retry.
    """
    run.expect(EFFECTS)
    with graph_client_for(run.tenant, on_wait=lambda *_: run.checkpoint()) as client:
        done = _done_before(client) if run.run.retry_of_id else set()
        for number in range(EFFECTS):
            key = effect_key(run.inputs["number"], number)
            if key in done:
                run.report_success(str(number))
            else:
                _make_effect(run, client, number, key)
            run.flush()
            time.sleep(run.inputs["pause_ms"] / 1000)


def _done_before(client: GraphClient) -> set[str]:
    names = (entry["displayName"] for entry in client.list(LOCATIONS))
    return {name.partition(" by run ")[0] for name in names}


def _make_effect(run: ActiveRun, client: GraphClient, number: int, key: str) -> None:
    run.checkpoint()
    try:
        client.post(LOCATIONS, _location(effect_name(key, run.id)))
    except GraphError as error:
        raise_if_blocking(error)
        run.report_failure(str(number), error)
    else:
        run.report_success(str(number))


def _location(name: str) -> dict[str, object]:
    address = {"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "10.0.0.0/8"}
    return {
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        "displayName": name,
        "isTrusted": False,
        "ipRanges": [address],
    }


# Kept for the life of the process: the override ends when the object is collected.
_OVERRIDE = ExitStack()
_OVERRIDE.enter_context(override_handler(OperationRunType.POLICY_EXPORT, make_effects))
controls.break_in_this_process(getattr(settings, "CHAOS_CONTROL", ""))
