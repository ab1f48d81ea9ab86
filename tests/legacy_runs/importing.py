"""Runs the import command for the tests."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command


def command(**options: Any) -> tuple[str, str]:
    """Run the command and return its output and its error output."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_legacy_runs", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def command_that_rejects(rejected: int, **options: Any) -> str:
    """Run the command, which fails because of this number of rejected rows; return its output."""
    out = io.StringIO()
    with pytest.raises(CommandError, match=f"^Rejected rows: {rejected}\\."):
        call_command("import_legacy_runs", stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()
