"""System checks of the operations, of incidents and of retention; an error prevents the start."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from operations.handlers import has_handler
from operations.types import OperationRunType
from telemetry import tracing


@register
def every_type_is_declared(**_: Any) -> list[CheckMessage]:
    """Check that an app declares each operation type."""
    return [
        Error(
            f"No app declares the operation {run_type}.",
            hint="Decorate a function in the handlers.py of the owning app with @operation.",
            id="operations.E001",
        )
        for run_type in OperationRunType
        if not has_handler(run_type)
    ]


#: Pairs of settings: the details of a run must not be kept longer than the run.
_SETTING_PAIRS = (
    ("RUN_KEEP_DETAILS_DAYS", "RUN_KEEP_DAYS"),
    ("RUN_KEEP_PROBLEM_DETAILS_DAYS", "RUN_KEEP_PROBLEM_DAYS"),
)
#: A hundred years; a longer retention is a mistake.
_MAX_DAYS = 36_525


@register
def retention_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that each limit is in range, and that details are not kept longer than their run."""
    names = [
        *(name for pair in _SETTING_PAIRS for name in pair),
        "RUN_KEEP_LAST",
        "RUN_TOMBSTONE_DAYS",
    ]
    problems: list[CheckMessage] = [
        Error(f"{name} must be from 1 to {_MAX_DAYS:,}.", id="operations.E003")
        for name in names
        if not 1 <= getattr(settings, name) <= _MAX_DAYS
    ]
    problems += [
        Error(f"{details} must not be more than {row}.", id="operations.E004")
        for details, row in _SETTING_PAIRS
        if getattr(settings, details) > getattr(settings, row)
    ]
    return problems


@register
def incident_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that each limit of incidents is in range; 0 would make every run an incident."""
    names = ("INCIDENT_TENANTS", "INCIDENT_RUNS", "INCIDENT_WINDOW_DAYS", "INCIDENT_QUIET_DAYS")
    return [
        Error(f"{name} must be from 1 to {_MAX_DAYS:,}.", id="operations.E005")
        for name in names
        if not 1 <= getattr(settings, name) <= _MAX_DAYS
    ]


@register
def traces_can_be_sent(**_: Any) -> list[CheckMessage]:
    """Check that traces are wanted in the one way in which they can be sent."""
    if not tracing.ENABLED:
        return []
    problems: list[CheckMessage] = []
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") not in ("", "otlp"):
        problems.append(Error("OTEL_TRACES_EXPORTER must be otlp or none.", id="operations.E008"))
    problems += [
        Error(f"{name} must be http/protobuf.", id="operations.E009")
        for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        if os.environ.get(name, "") not in ("", "http/protobuf")
    ]
    return problems


#: A shorter token could be guessed.
_MIN_TOKEN = 16


@register
def metrics_settings_are_valid(**_: Any) -> list[CheckMessage]:
    """Check that the token of `/metrics` is long enough and the number of tenants in range."""
    problems: list[CheckMessage] = []
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < _MIN_TOKEN:
        problems.append(
            Error(f"METRICS_TOKEN must have {_MIN_TOKEN} characters or more.", id="operations.E006")
        )
    if not 0 <= settings.METRICS_TENANTS <= 10_000:
        problems.append(Error("METRICS_TENANTS must be from 0 to 10,000.", id="operations.E007"))
    return problems
