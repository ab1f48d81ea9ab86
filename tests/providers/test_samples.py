"""Real exports, where they are at hand: each can be put into the stand-in and captured."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from providers.graph.kinds import KIND
from providers.graph.normalize import is_annotation
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


def files():
    return [
        pytest.param(kind, path, id=f"{kind}-{path.stem[:40]}")
        for folder, kind in FOLDERS.items()
        for path in sorted((SAMPLES / folder).glob("*.json"))
    ]


def objects(path):
    """The objects of a file; some hold a list of them."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return next((content[name] for name in LISTS if name in content), [content])


def annotated(value):
    if isinstance(value, dict):
        own = [key for key in value if is_annotation(key)]
        return own + [name for entry in value.values() for name in annotated(entry)]
    if isinstance(value, list):
        return [name for entry in value for name in annotated(entry)]
    return []


@pytest.mark.skipif(not SAMPLES.exists(), reason="set RUNLEDGER_GRAPH_SAMPLES to use real exports")
@pytest.mark.parametrize(("kind", "path"), files())
def test_a_real_export_is_captured_as_it_is(far, client, kind, path):
    for exported in objects(path):
        key = "linux_compliance" if "settings" in exported else kind
        entry = {"assignments": [], "id": str(uuid.uuid4()), **exported}
        if KIND[key].has_scheduled_actions or key == "linux_compliance":
            entry.setdefault("scheduledActionsForRule", [])
        far.control.put_object(far.tenant_id, key, entry)

        listed = next(one for one in KIND[key].list_objects(client) if one["id"] == entry["id"])
        captured = KIND[key].capture(client, listed)

        assert captured.missing == []
        assert annotated(captured.payload) == []
        assert KIND[key].content_hash(captured.payload) == KIND[key].content_hash(
            {**captured.payload, "id": "another", "lastModifiedDateTime": "2030-01-01T00:00:00Z"}
        )
        kept = KIND[key].content(captured.payload)
        assert kept.items() <= KIND[key].content(entry).items()
