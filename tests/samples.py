"""Real exports of policies, where they are at hand: set RUNLEDGER_GRAPH_SAMPLES to their folder."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.graph.kinds import KIND
from providers.sandbox.control import SandboxControl
from providers.sandbox.process import ROOT

SAMPLES = Path(os.environ.get("RUNLEDGER_GRAPH_SAMPLES", ROOT.parent / "shared" / "graph-samples"))
FOLDERS = {
    "app-protection": "app_protection",
    "assignment-filters": "assignment_filters",
    "compliance": "compliance",
    "conditional-access": "conditional_access",
    "groups": "groups",
    "named-locations": "named_location",
}
LISTS = ("filters", "groups")
NEEDED = pytest.mark.skipif(
    not SAMPLES.exists(), reason="set RUNLEDGER_GRAPH_SAMPLES to use real exports"
)


def files() -> list[tuple[str, Path]]:
    """Every file with the kind of what is in it."""
    return [
        (kind, path)
        for folder, kind in FOLDERS.items()
        for path in sorted((SAMPLES / folder).glob("*.json"))
    ]


def entries(kind: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with their kind, each with the id that an export has lost."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for exported in next((content[name] for name in LISTS if name in content), [content]):
        key = "linux_compliance" if "settings" in exported else kind
        entry = {"assignments": [], "id": str(uuid.uuid4()), **exported}
        if KIND[key].has_scheduled_actions or key == "linux_compliance":
            entry.setdefault("scheduledActionsForRule", [])
        yield key, entry


def put_all(graph: SandboxControl, tenant_id: object) -> dict[str, int]:
    """Put every object of every file into a tenant of the stand-in; how many of each kind.

    Some files hold the same object as another one.
    """
    ids: dict[str, set[str]] = {}
    for kind, path in files():
        for key, entry in entries(kind, path):
            graph.put_object(tenant_id, key, entry)
            ids.setdefault(key, set()).add(entry["id"])
    return {key: len(found) for key, found in ids.items()}
