"""The kinds of object that Runledger reads: one module each, which defines `KIND`.

A new kind is a new module here, with everything that Runledger knows about it.
"""

from __future__ import annotations

import importlib
import pkgutil
from graphlib import TopologicalSorter

from providers.graph.policy_kind import PolicyKind


def _load() -> dict[str, PolicyKind]:
    """Return the kinds by key: each after those that it can refer to, otherwise by label."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    loaded: list[PolicyKind] = [
        importlib.import_module(f"{__name__}.{name}").KIND for name in names
    ]
    by_key = {kind.key: kind for kind in sorted(loaded, key=lambda kind: kind.label_plural)}
    graph = {key: kind.depends_on & by_key.keys() for key, kind in by_key.items()}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ordered: dict[str, PolicyKind] = {}
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda key: by_key[key].label_plural)
        ordered |= {key: by_key[key] for key in ready}
        sorter.done(*ready)
    return ordered


#: Every kind by its key; kinds that others refer to come first.
KIND: dict[str, PolicyKind] = _load()
#: The kinds that backups contain.
KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if v.is_backed_up}
#: The kinds that are read only to resolve ids to names.
REFERENCE_KINDS: dict[str, PolicyKind] = {k: v for k, v in KIND.items() if v.is_mirrored_only}
