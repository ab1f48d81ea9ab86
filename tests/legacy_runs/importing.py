"""The command that imports legacy runs, as the tests call it."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command


def command(**options: Any) -> tuple[str, str]:
    """Run the command; what it said on each of its outputs."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_legacy_runs", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()
