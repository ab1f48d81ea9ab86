"""The handler of `policy.export` in a campaign.

It creates objects in the Graph sandbox, so that work that is done twice can be detected from outside.
With `CHAOS_CONTROL`, a promise is broken on purpose (`dev/chaos/controls.py`).
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from django.conf import settings

from dev.chaos import sabotage
from operations.testing import override_handler
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import graph_client_for
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError
from providers.handling import raise_if_blocking

EFFECTS = 3
#: Milliseconds of the pause of an export that does not notice a cancel request in time.
STUBBORN_PAUSE = 7000
#: The promise that a negative control breaks; empty in a real campaign.
CONTROL = getattr(settings, "CHAOS_CONTROL", "")
LOCATIONS = "/v1.0/identity/conditionalAccess/namedLocations"


def effect_key(work: int, number: int) -> str:
    """Return the key of one item of an export; it is the same for a run and its retries."""
    return f"export {work} effect {number}"


def effect_name(key: str, run_id: int) -> str:
    """Return the name of the object that a run creates for an item."""
    return f"{key} by run {run_id}"


def make_effects(run: ActiveRun) -> None:
    """Create an object in the Graph sandbox for each item that no earlier run of the chain created.

    A run does not look for its own objects, so that duplicates become visible: those of a run that
    executes twice, and those of a run that continues beside its retry.
    """
    run.expect(EFFECTS)
    with graph_client_for(run.tenant, on_wait=lambda *_: run.checkpoint()) as client:
        existing_keys: set[str] = set()
        if run.run.retry_of_id:
            for entry in client.list(LOCATIONS):
                existing_keys.add(entry["displayName"].partition(" by run ")[0])
        for number in range(EFFECTS):
            key = effect_key(run.inputs["number"], number)
            if key in existing_keys:
                run.report_success(str(number))
            else:
                _make_effect(run, client, number, key)
            if CONTROL == "effects":
                client.post(LOCATIONS, _location(effect_name(key, run.id)))
            if CONTROL == "late effects":
                _make_late_effects(run, client)
            run.flush()
            if number == 0 or run.inputs["pause_ms"] < STUBBORN_PAUSE:
                time.sleep(run.inputs["pause_ms"] / 1000)


def _make_late_effects(run: ActiveRun, client: GraphClient) -> None:
    """Go on for a while without asking whether the run is still active."""
    for number in range(20):
        key = effect_key(run.id, 100 + number)
        client.post(LOCATIONS, _location(effect_name(key, run.id)))
        time.sleep(0.1)


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


# The override ends when this object is collected, so it must live as long as the process.
_OVERRIDE = ExitStack()
_OVERRIDE.enter_context(override_handler(OperationRunType.POLICY_EXPORT, make_effects))
sabotage.break_process(CONTROL)
