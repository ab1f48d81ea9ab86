"""System checks: a mistake in the registries stops the start, not an operator."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from operations.handlers import has_handler
from operations.types import OperationRunType


@register
def every_type_is_declared(**_: Any) -> list[CheckMessage]:
    """Each type of the vocabulary is declared by one app."""
    return [
        Error(
            f"No app declares the operation {run_type}.",
            hint="Decorate a function in the handlers.py of the owning app with @operation.",
            id="operations.E001",
        )
        for run_type in OperationRunType
        if not has_handler(run_type)
    ]


#: What ends the details of a run must not come after what ends the run.
_PAIRS = (
    ("RUN_KEEP_DETAILS_DAYS", "RUN_KEEP_DAYS"),
    ("RUN_KEEP_PROBLEM_DETAILS_DAYS", "RUN_KEEP_PROBLEM_DAYS"),
)
#: More days than a hundred years of them are a mistake.
_MOST = 36_525


@register
def retention_makes_sense(**_: Any) -> list[CheckMessage]:
    """Each limit is a reasonable number, and details never outlive their run."""
    names = [*(name for pair in _PAIRS for name in pair), "RUN_KEEP_LAST", "RUN_TOMBSTONE_DAYS"]
    problems: list[CheckMessage] = [
        Error(f"{name} must be from 1 to {_MOST:,}.", id="operations.E003")
        for name in names
        if not 1 <= getattr(settings, name) <= _MOST
    ]
    problems += [
        Error(f"{details} must not be more than {row}.", id="operations.E004")
        for details, row in _PAIRS
        if getattr(settings, details) > getattr(settings, row)
    ]
    return problems
