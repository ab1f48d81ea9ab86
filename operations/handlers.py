"""`@operation` declares an operation type beside its handler."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from operations import catalog
from operations.catalog import CatalogEntry, Queue, Retry, Scope
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from tenancy.roles import Capability

Handler = Callable[[ActiveRun], None]

_HANDLERS: dict[OperationRunType, Handler] = {}


def operation(
    run_type: OperationRunType,
    *,
    label: str,
    description: str,
    required_capability: Capability,
    scope: Scope = Scope.TENANT,
    queue: Queue = Queue.DEFAULT,
    expected_duration: dt.timedelta | None = None,
    time_limit: dt.timedelta = dt.timedelta(minutes=30),
    start_deadline: dt.timedelta = dt.timedelta(hours=1),
    retry: Retry = Retry.MANUAL,
    identity_group: str = "",
    retry_as: OperationRunType | None = None,
    repeat_as: OperationRunType | None = None,
    slot_key: str = "",
) -> Callable[[Handler], Handler]:
    """Declare an operation type; the decorated function becomes its handler.

    The parameters are the fields of `CatalogEntry`, which describes them. Stack the decorator if
    one function handles several types. The `handlers` modules of installed apps are imported at
    startup, so that a declaration there needs no other registration.

    Raises:
        ValueError: the type is already declared.
    """
    entry = CatalogEntry(
        label=label,
        description=description,
        required_capability=required_capability,
        scope=scope,
        queue=queue,
        expected_duration=expected_duration,
        time_limit=time_limit,
        start_deadline=start_deadline,
        retry=retry,
        identity_group=identity_group,
        retry_as=retry_as,
        repeat_as=repeat_as,
        slot_key=slot_key,
    )

    def register(handler: Handler) -> Handler:
        if run_type in _HANDLERS:
            raise ValueError(f"{run_type} is already declared: {_HANDLERS[run_type]!r}")
        catalog.add_entry(run_type, entry)
        _HANDLERS[run_type] = handler
        return handler

    return register


def get_handler(run_type: str) -> Handler:
    """Return the handler of a type.

    Raises:
        LookupError: no app declares the type.
    """
    try:
        return _HANDLERS[OperationRunType(run_type)]
    except (KeyError, ValueError):
        raise LookupError(f"No handler for {run_type}") from None


def has_handler(run_type: str) -> bool:
    return run_type in _HANDLERS
