"""Runs the import command for the tests."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command


def command(**options: Any) -> tuple[str, str]:
    """Run the command and return its output and its error output."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_legacy_runs", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()
