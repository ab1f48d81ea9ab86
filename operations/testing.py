"""Support for tests of operations: execute a run now, replace a handler or a catalog entry.

The context managers change this process only and restore what they changed when they end. They are
public: tests use them instead of the registries' private dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

from django.db import connection, transaction

from operations import catalog, handlers, ticks
from operations.catalog import CatalogEntry
from operations.handlers import Handler
from operations.maintenance import integrity
from operations.maintenance.integrity import Invariant, register_invariant
from operations.models import OperationRun
from operations.types import OperationRunType
from operations.worker import execution


def run_now(run: OperationRun) -> OperationRun:
    """Execute a queued run in this process and return it as it ended.

    The run is claimed and completed on this thread's connection, so it works inside the
    transaction of a test. It sends no heartbeats: those need a connection that sees the run.

    Raises:
        ValueError: the run is not queued.
    """
    with mock.patch.object(execution, "Heartbeat", return_value=nullcontext()):
        if not execution.execute(run.pk):
            raise ValueError(f"Run {run.pk} is not queued.")
    return OperationRun.objects.get(pk=run.pk)


@contextmanager
def allow_pruning() -> Iterator[None]:
    """Delete ended runs of any age, and their details. Only the owner of the tables can do it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.pruning', 'on', true)")
        yield
        cursor.execute("SELECT set_config('runledger.pruning', '', true)")


@contextmanager
def override_handler(run_type: OperationRunType, handler: Handler | None) -> Iterator[None]:
    """Replace the handler of a type; `None` leaves the type without a handler."""
    with _replace_key(handlers._HANDLERS, run_type, handler):  # noqa: SLF001
        yield


@contextmanager
def override_catalog(run_type: OperationRunType, **changes: Any) -> Iterator[CatalogEntry]:
    """Change fields of a type's catalog entry, for example `retry=Retry.NEVER`.

    Returns:
        The entry as it is inside the context.
    """
    entry = replace(catalog._ENTRIES[run_type], **changes)  # noqa: SLF001
    with _replace_key(catalog._ENTRIES, run_type, entry):  # noqa: SLF001
        yield entry


@contextmanager
def remove_operation(run_type: OperationRunType) -> Iterator[None]:
    """Leave a type undeclared: without a catalog entry and without a handler."""
    with (
        _replace_key(catalog._ENTRIES, run_type, None),  # noqa: SLF001
        _replace_key(handlers._HANDLERS, run_type, None),  # noqa: SLF001
    ):
        yield


@contextmanager
def add_invariants(*invariants: Invariant) -> Iterator[None]:
    """Register invariants of the ledger that are checked inside the context only."""
    with ExitStack() as stack:
        for invariant in invariants:
            stack.enter_context(_replace_key(integrity._INVARIANTS, invariant.name, None))  # noqa: SLF001
            register_invariant(invariant)
        yield


def record_ticks() -> None:
    """Record the ticks that `/healthz` watches, as beat and the workers do."""
    for name in ticks.WATCHED.values():
        ticks.acquire_tick(name)


@contextmanager
def _replace_key(registry: dict[Any, Any], key: Any, value: Any) -> Iterator[None]:
    """Set a key of a registry, or remove it with `None`; restore it afterward."""
    before = registry.pop(key, None)
    if value is not None:
        registry[key] = value
    try:
        yield
    finally:
        registry.pop(key, None)
        if before is not None:
            registry[key] = before
