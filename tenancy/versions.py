"""The versions of live sections: read with one statement, before anything is rendered.

The version of a section changes whenever what it shows does. What changes with time alone, such as
an expected end, counts by the minute. Each page has other minutes than the next, so that not all
open pages are rendered at the same time.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Container, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from django.db import connection
from django.db.models import CharField, Expression, Model, QuerySet, Subquery

from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import Workspace
from web.live_section import page_query

MINUTE = 60
#: The fields of a user on which sections depend.
_OF_USER = ("pk", "is_staff", "timezone")


class Digest(Subquery):
    """A text that is another one as soon as any value of the rows of a query is."""

    template = "(SELECT md5(string_agg(part::text, E'\\n')) FROM (%(subquery)s) part)"
    output_field = CharField()


class Statement(NamedTuple):
    """A statement that reads one row, with its parameters."""

    sql: str
    params: Sequence[Any]


def column_names(model: type[Model] | Model, *, without: Container[str] = ()) -> list[str]:
    """Return the columns of a model, as its attributes, without those of some fields."""
    fields = model._meta.concrete_fields  # noqa: SLF001 - the documented interface of models
    return [field.attname for field in fields if field.name not in without]


def build_statement(row: QuerySet[Any], *parts: Expression | Subquery) -> Statement:
    """Return the statement that reads these parts of a version; `row` selects one row, their frame."""
    sql, params = row.values_list(*parts).query.sql_with_params()
    return Statement(sys.intern(sql), params)


def read_statement(statement: Statement) -> tuple[Any, ...]:
    """Return the row of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def build_version(request: Request, workspace: Workspace | None, *facts: object) -> str:
    """Return the version of a section for this user and address, from facts about what it shows.

    It includes the fields of the workspace, and the role that the page has read with it.
    """
    page = f"{request.path}?{page_query(request.GET)}"
    user = [getattr(request.user, name) for name in _OF_USER]
    minute = int(request_now().timestamp() + crc32(f"{page} {user}".encode()) % MINUTE) // MINUTE
    of_workspace: list[object] = []
    if workspace:
        of_workspace = [getattr(workspace, name) for name in column_names(workspace)]
        of_workspace.append(workspace.viewer_role)
    text = repr((page, user, minute, of_workspace, facts))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
