"""`@handles`: which function does the work of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from operations.types import OperationRunType

if TYPE_CHECKING:
    from operations.worker.active_run import ActiveRun

    Handler = Callable[["ActiveRun"], None]

_HANDLERS: dict[str, Handler] = {}


def handles(*run_types: OperationRunType) -> Callable[[Handler], Handler]:
    """Register a handler for one or more types.

    Raises:
        ValueError: another function handles the type already.
    """

    def register(handler: Handler) -> Handler:
        for run_type in run_types:
            if _HANDLERS.setdefault(run_type, handler) is not handler:
                raise ValueError(f"{run_type} has a handler already: {_HANDLERS[run_type]!r}")
        return handler

    return register


def get_handler(run_type: str) -> Handler:
    """The handler of a type.

    Raises:
        LookupError: nobody handles it.
    """
    try:
        return _HANDLERS[run_type]
    except KeyError:
        raise LookupError(f"No handler for {run_type}") from None


def has_handler(run_type: str) -> bool:
    return run_type in _HANDLERS
