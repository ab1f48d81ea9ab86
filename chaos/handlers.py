"""What workers do in a campaign besides the product's own operations.

`policy.export` is given a handler with effects in the stand-in, so that work done twice can be seen
from outside. With `CHAOS_CONTROL` a promise is broken on purpose (`chaos/controls.py`).
"""

from __future__ import annotations

import time

from django.conf import settings

from chaos import controls
from operations import handlers
from operations.active_run import ActiveRun
from operations.types import OperationRunType
from providers.connections import graph_client_for
from providers.graph.errors import GraphError
from providers.handling import raise_if_blocking

EFFECTS = 3
LOCATIONS = "/v1.0/identity/conditionalAccess/namedLocations"


def effect_name(run_id: int, number: int) -> str:
    """The name of the object that one item of one run creates, and no other may."""
    return f"run {run_id} effect {number}"


def make_effects(run: ActiveRun) -> None:
    """Create one object in the stand-in for each item."""
    run.expect(EFFECTS)
    with graph_client_for(run.tenant) as client:
        for number in range(EFFECTS):
            run.checkpoint()
            try:
                client.post(LOCATIONS, _location(effect_name(run.id, number)))
            except GraphError as error:
                raise_if_blocking(error)
                run.failed(str(number), error)
            else:
                run.succeeded(str(number))
            run.flush()
            time.sleep(0.1)


def _location(name: str) -> dict[str, object]:
    address = {"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "10.0.0.0/8"}
    return {
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        "displayName": name,
        "isTrusted": False,
        "ipRanges": [address],
    }


handlers._HANDLERS[OperationRunType.POLICY_EXPORT] = make_effects  # noqa: SLF001 - on purpose
controls.break_in_this_process(getattr(settings, "CHAOS_CONTROL", ""))
