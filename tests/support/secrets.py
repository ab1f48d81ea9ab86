"""What a test registers as a secret is forgotten after it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from redaction import known_secrets


@pytest.fixture(autouse=True, scope="module")
def secrets_of_module() -> Iterator[None]:
    with _forgotten_afterwards():
        yield


@pytest.fixture(autouse=True)
def secrets_of_test() -> Iterator[None]:
    with _forgotten_afterwards():
        yield


@contextmanager
def _forgotten_afterwards() -> Iterator[None]:
    """A credential "a secret" of one test would be masked in the texts of every later one."""
    before = known_secrets._registry
    registry = copy.copy(before)
    registry._encodings = before._encodings.copy()
    registry._by_ending = before._by_ending.copy()
    known_secrets._registry = registry
    try:
        yield
    finally:
        known_secrets._registry = before
