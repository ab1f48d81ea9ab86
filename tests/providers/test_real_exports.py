"""Real exports, where present: each can be put into the Graph sandbox and captured."""

from __future__ import annotations

import pytest

from providers.graph.kinds import KIND
from providers.graph.normalize import is_annotation
from tests.support.samples import FILES, NEEDED


def annotation_keys(value):
    if isinstance(value, dict):
        keys = [key for key in value if is_annotation(key)]
        return keys + [name for entry in value.values() for name in annotation_keys(entry)]
    if isinstance(value, list):
        return [name for entry in value for name in annotation_keys(entry)]
    return []


@NEEDED
@pytest.mark.parametrize("sample", FILES, ids=lambda sample: str(sample.path)[-40:])
def test_a_real_export_is_captured_unchanged(sandbox_tenant, client, sample):
    for key, entry in ((kind, each) for kind in sample.objects for each in sample.objects[kind]):
        sandbox_tenant.control.put_object(sandbox_tenant.tenant_id, key, entry)

        listed = next(one for one in KIND[key].list_objects(client) if one["id"] == entry["id"])
        capture = KIND[key].capture(client, listed)

        assert capture.missing == []
        assert annotation_keys(capture.payload) == []
        assert KIND[key].content_hash(capture.payload) == KIND[key].content_hash(
            {**capture.payload, "id": "another", "lastModifiedDateTime": "2030-01-01T00:00:00Z"}
        )
        content = KIND[key].content(capture.payload)
        assert content.items() <= KIND[key].content(entry).items()
