"""Real exports of policies from the folder RUNLEDGER_GRAPH_SAMPLES, if it exists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import ROOT
from dev.graph_sandbox.samples import read_samples, sample_tenant

SAMPLES = Path(os.environ.get("RUNLEDGER_GRAPH_SAMPLES", ROOT.parent / "shared" / "graph-samples"))
NEEDED = pytest.mark.skipif(
    not SAMPLES.exists(), reason="set RUNLEDGER_GRAPH_SAMPLES to use real exports"
)
FILES = [sample for sample in read_samples(SAMPLES) if sample.objects]


def put_all(graph: SandboxControl, tenant_id: object) -> dict[str, int]:
    """Put every exported object into a tenant of the Graph sandbox; return the counts by kind.

    An object may be in more than one file.
    """
    ids: dict[str, set[str]] = {}
    for kind, entries in sample_tenant(FILES).items():
        for entry in entries:
            graph.put_object(tenant_id, kind, entry)
            ids.setdefault(kind, set()).add(entry["id"])
    return {kind: len(kind_ids) for kind, kind_ids in ids.items()}
