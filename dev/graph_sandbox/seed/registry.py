"""The functions that seed the objects of a kind, and how many objects a tenant has by default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.seed.draw import Draw

Build = Callable[[Draw, int], Json]


@dataclass(frozen=True)
class Seed:
    """How the objects of a kind are built, and how many by default."""

    build: Build
    count: int


SEEDS: dict[str, Seed] = {}


def seeds(kind: str, *, count: int) -> Callable[[Build], Build]:
    """Register a function that builds one object of a kind from its number."""

    def register(build: Build) -> Build:
        SEEDS[kind] = Seed(build, count)
        return build

    return register
