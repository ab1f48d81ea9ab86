"""Named locations, which conditional access policies refer to."""

from __future__ import annotations

from typing import Any

from providers.graph.normalize import Noise
from providers.graph.policy_kind import Need, PolicyKind, Restore, Service


def _refuses(payload: dict[str, Any]) -> str:
    """Microsoft creates the location of the compliant network when Global Secure Access is set up."""
    is_network = payload.get("@odata.type") == "#microsoft.graph.compliantNetworkNamedLocation"
    return "locations of a compliant network" if is_network else ""


KIND = PolicyKind(
    key="named_location",
    label="Named location",
    label_plural="Named locations",
    list_path="/v1.0/identity/conditionalAccess/namedLocations",
    needed=Need.WRITE,
    read_permission="Policy.Read.All",
    write_permission="Policy.ReadWrite.ConditionalAccess",
    noise=Noise(unordered_ids=True),
    restore=Restore.FULL,
    refuses=_refuses,
    service=Service(page=100, max_page=999, needs_type=True, patch_status=204, is_paced=True),
)
