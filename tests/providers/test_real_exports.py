"""Real exports, where they are at hand: each can be put into the Graph sandbox and captured."""

from __future__ import annotations

import pytest

from dev.graph_sandbox.samples import entries
from providers.graph.kinds import KIND
from providers.graph.normalize import is_annotation
from tests.support.samples import FILES, NEEDED


def annotated(value):
    if isinstance(value, dict):
        own = [key for key in value if is_annotation(key)]
        return own + [name for entry in value.values() for name in annotated(entry)]
    if isinstance(value, list):
        return [name for entry in value for name in annotated(entry)]
    return []


@NEEDED
@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda part: str(part)[-40:])
def test_a_real_export_is_captured_as_it_is(sandbox_tenant, client, kind, path):
    for key, entry in entries(kind, path):
        sandbox_tenant.control.put_object(sandbox_tenant.tenant_id, key, entry)

        listed = next(one for one in KIND[key].list_objects(client) if one["id"] == entry["id"])
        captured = KIND[key].capture(client, listed)

        assert captured.missing == []
        assert annotated(captured.payload) == []
        assert KIND[key].content_hash(captured.payload) == KIND[key].content_hash(
            {**captured.payload, "id": "another", "lastModifiedDateTime": "2030-01-01T00:00:00Z"}
        )
        kept = KIND[key].content(captured.payload)
        assert kept.items() <= KIND[key].content(entry).items()
