"""Who makes a change: the user of the request, or the command or task of a process.

A wrapper of the database connection sets `runledger.audit` in the same message as each write to an
audited table, for its transaction only: it costs no round trip, and no other client of a pooler can
get it. Triggers read it. A change without it did not come from Runledger: “direct SQL”.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import structlog
from axes.helpers import get_client_ip_address
from celery import current_app
from django.contrib.auth.models import AnonymousUser
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.urls import reverse
from psycopg.sql import Literal

from audit.registry import audited_tables

#: The reference of a worker names its run.
RUN_PREFIX = "run "
#: The request of this thread.
_request: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)
_WRITE = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE)
#: The call of a function of the product, which can change audited tables.
_CALL = re.compile(
    r"\s*SELECT\s+(?!pg_|set_config|current_setting|clock_timestamp|now|audit_)\w+\([^;]*\)\s*",
    re.IGNORECASE,
)
Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]


@contextmanager
def audited_request(request: HttpRequest) -> Iterator[None]:
    """Attribute the changes inside to the user of this request."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_context(request: HttpRequest | None = None) -> dict[str, Any]:
    """Return who makes a change now, for a trigger or an event."""
    request = request or _request.get()
    if request is None:
        return {"origin": _process(), "reference": _run_reference()}
    user = getattr(request, "user", None) or AnonymousUser()
    limit = getattr(user, "limit", None)
    is_administration = request.path.startswith(reverse("admin:index"))
    page = "administration" if is_administration else "page"
    return {
        "user_id": user.pk,
        "user_name": user.get_username(),
        "origin": limit.origin if limit else page,
        "address": _address(request),
        "reference": getattr(request, "reference", ""),
    }


def install() -> None:
    """Send the context along with every write to an audited table, on every connection."""
    connection_created.connect(_wrap, dispatch_uid="audit.context")


def _wrap(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    if _send_context not in connection.execute_wrappers:
        connection.execute_wrappers.append(_send_context)


def _send_context(
    execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Put the context before a statement; its result is that of the statement."""
    if many or not isinstance(sql, str) or not changes_audited_table(sql):
        return execute(sql, params, many, context)
    text = Literal(json.dumps(current_context())).as_string()
    if params is not None:
        text = text.replace("%", "%%")
    result = execute(
        f"SELECT set_config('runledger.audit', {text}, true); {sql}", params, many, context
    )
    context["cursor"].nextset()
    return result


@lru_cache(maxsize=4096)
def changes_audited_table(sql: str) -> bool:
    """Whether a statement may change an audited table, itself or through a function."""
    if _WRITE.match(sql):
        return bool(_changes().search(sql))
    return bool(_CALL.fullmatch(sql))


@cache
def _changes() -> re.Pattern[str]:
    """A change of an audited table, at any place of a statement."""
    verbs = r"(?:INSERT\s+INTO|MERGE\s+INTO|UPDATE|DELETE\s+FROM)(?:\s+ONLY)?"
    tables = "|".join(audited_tables())
    return re.compile(rf'\b{verbs}\s+(?:"?public"?\.)?"?(?:{tables})\b', re.IGNORECASE)


def _address(request: HttpRequest) -> str | None:
    """Return the address of the client, as lockouts see it; None for a socket."""
    try:
        return str(ipaddress.ip_address(get_client_ip_address(request) or ""))
    except ValueError:
        return None


def _process() -> str:
    """Return the Celery task, the name of the management command, or the program."""
    if (task := current_app.current_task) is not None:
        return f"task {task.name}"
    program = Path(sys.argv[0])
    if program.name == "manage.py" and len(sys.argv) > 1:
        return f"command {sys.argv[1]}"
    # `python -m celery` runs `celery/__main__.py`.
    return f"program {program.parent.name if program.stem == '__main__' else program.name}"


def _run_reference() -> str:
    """Return the run that this worker executes."""
    run_id = structlog.contextvars.get_contextvars().get("run_id")
    return f"{RUN_PREFIX}{run_id}" if run_id else ""
