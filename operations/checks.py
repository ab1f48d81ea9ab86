"""System checks: a mistake in the registries stops the start, not an operator."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from operations.catalog import OperationCatalog
from operations.handlers import has_handler
from operations.types import OperationRunType


@register
def every_type_is_registered(**_: Any) -> list[CheckMessage]:
    """Each type has a catalogue entry and a handler."""
    problems: list[CheckMessage] = []
    for run_type in OperationRunType:
        if OperationCatalog.find(run_type) is None:
            problems.append(
                Error(
                    f"{run_type} has no entry in operations/catalog.py.",
                    hint="Say what it is called, costs, needs and allows.",
                    id="operations.E001",
                )
            )
        if not has_handler(run_type):
            problems.append(
                Error(
                    f"{run_type} has no handler.",
                    hint="Decorate a function in the owning app's handlers.py with @handles.",
                    id="operations.E002",
                )
            )
    return problems
