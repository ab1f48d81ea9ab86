"""Seeds a realistic tenant that is the same each time for the same seed."""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Mapping

from dev.graph_sandbox import seed as modules
from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed import directory
from dev.graph_sandbox.seed.draw import Draw
from dev.graph_sandbox.seed.registry import SEEDS, Seed
from providers.graph.kinds import KIND

for module in pkgutil.iter_modules(modules.__path__):
    importlib.import_module(f"{modules.__name__}.{module.name}")


def _seed_of(kind: str) -> Seed:
    """How a kind is seeded: by its function, or from the samples of its declaration."""
    return SEEDS.get(kind) or Seed(
        lambda draw, number: _sample(kind, draw, number), len(KIND[kind].samples)
    )


def _sample(kind: str, draw: Draw, number: int) -> Json:
    """A sample with a drawn id; a further round of samples has other names."""
    samples, name_field = KIND[kind].samples, KIND[kind].name_field
    entry = copy.deepcopy(samples[number % len(samples)])
    if ring := number // len(samples):
        name = entry.get(name_field) or KIND[kind].label
        entry[name_field] = f"{name} {ring + 1}"
        entry.pop("id", None)
    return {"id": draw.new_id(), **draw.times(), **entry}


#: How each kind is seeded. Kinds that others refer to come first.
_SEEDS = {kind: _seed_of(kind) for kind in KIND}
DEFAULT_SIZES = {kind: seed.count for kind, seed in _SEEDS.items()}


def seed_tenant(
    tenant_id: str, name: str, seed: str, sizes: Mapping[str, int]
) -> dict[str, list[Json]]:
    """Return the objects of a tenant by kind; `sizes` overrides the number of some kinds.

    Of a kind of which every tenant has exactly one object, it has one in any case.

    Raises:
        KeyError: `sizes` names an unknown kind.
    """
    unknown = set(sizes) - set(DEFAULT_SIZES)
    if unknown:
        raise KeyError(f"no kind {', '.join(sorted(unknown))}")
    single = {key: 1 for key, kind in KIND.items() if kind.is_singleton}
    counts = {**DEFAULT_SIZES, **sizes, **single}
    objects = {"organization": [directory.organization(tenant_id, name)]}
    for kind, seeding in _SEEDS.items():
        # One random generator per kind: the number of one kind does not change another.
        draw = Draw(f"{seed}/{kind}", name, objects)
        objects[kind] = [seeding.build(draw, number) for number in range(counts[kind])]
    return objects
