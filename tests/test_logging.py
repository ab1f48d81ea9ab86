"""The log of production: every line is one JSON object without secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

# Assembled here, so that no secret scanner reports it.
CANARY = "canary" + "~8Q~" + "x1Y2z3" * 5

PROGRAM = """
import logging, sys
from config.logging import configure_logging
from redaction.known_secrets import register_secret
configure_logging(json=True, level="INFO")
register_secret(sys.argv[2])
log = logging.getLogger("operations.worker.execution")
try:
    raise ValueError(sys.argv[1] + sys.argv[2])
except ValueError:
    log.exception("it went wrong: %s", sys.argv[1])
"""

NASTY = [
    "plain",
    "two\nlines",
    "\r\nSet-Cookie: a=b",
    "\x1b[31mred",
    "\u2028\u0085",
    "{}",
    '"quoted"',
]


REFUSALS = """
import django
django.setup()
from config.logging import configure_logging
configure_logging(json=True, level="INFO")
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.handlers.exception import response_for_exception
from django.core.exceptions import RequestDataTooBig
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
for error in (BadRequest, MultiPartParserError, PermissionDenied, SuspiciousOperation,
              RequestDataTooBig, ZeroDivisionError):
    try:
        raise error("why\\nFORGED")
    except Exception as raised:
        response_for_exception(RequestFactory().get("/w/contoso/"), raised)
"""


def log_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines that a process with the logging of production writes for a text."""
    return lines_of(PROGRAM, text, CANARY)


def lines_of(program: str, *arguments: str) -> list[dict[str, Any]]:
    """Return the lines that a program logs."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        capture_output=True,
        check=True,
    )
    assert b"\x1b" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_each_event_is_one_line_of_json_without_secrets(text: str) -> None:
    lines = log_lines(text)

    assert len(lines) == 1
    assert lines[0]["level"] == "error"
    assert lines[0]["logger"] == "operations.worker.execution"
    assert "ValueError" in lines[0]["exception"]
    assert CANARY not in json.dumps(lines)


def test_a_refused_request_is_one_line_without_a_traceback() -> None:
    *refusals, error = lines_of(REFUSALS)

    assert len(refusals) == 5
    assert not [line for line in refusals if "exception" in line]
    assert "ZeroDivisionError" in error["exception"]
