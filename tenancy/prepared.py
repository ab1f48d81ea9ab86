"""Queries that every request sends: Django builds their SQL once, and the server plans it once.

Building the query of the menu takes the process three times as long as reading its rows
(`python -m dev.bench.pages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

from tenancy.db import run_prepared

M = TypeVar("M", bound=Model)
#: What stands for the parameters while a query is built: no other value of a query is one of them.
ANY_USER, ANY_ID, ANY_TEXT = -(2**62), -(2**61), "\N{WHITE SQUARE}"
ANY_WORKSPACE, ANY_TENANT = -(2**60), -(2**59)
#: Of a column with 32 bits.
ANY_NUMBER = 2**31 - 77


class PreparedQuery(Generic[M]):
    """A query with the same SQL for all values of its parameters.

    `rows` is the query for the values `parameters`, which it must contain only as parameters: `load`
    sends the same statement with other values in their places.

    With `has_one_plan=False`, the server plans it for the values of each call. Of a query with a
    partial index, or for values with very different numbers of rows, one plan would be a bad one.
    """

    def __init__(
        self, rows: QuerySet[M], parameters: Sequence[object], *, has_one_plan: bool = True
    ) -> None:
        self.model = rows.model
        self._run = run_prepared if has_one_plan else _run
        compiler = rows.query.get_compiler(connection=connection)
        self._sql, values = compiler.as_sql()
        self._values = [
            (parameters.index(value), None) if value in parameters else (None, value)
            for value in values
        ]
        columns = [column for column, *_ in compiler.select]
        fields = compiler.klass_info["select_fields"]
        self._fields = [columns[position].target.attname for position in fields]
        self._first, self._end = fields[0], fields[-1] + 1
        self._annotations = compiler.annotation_col_map
        self._converters = compiler.get_converters(columns)
        self._convert = compiler.apply_converters
        # The stubs are those of the next version of Django.
        self._populators = get_related_populators(  # type: ignore[call-arg]
            compiler.klass_info, compiler.select, connection.alias
        )

    def load(self, *parameters: object) -> list[M]:
        """Return the rows for these values of the parameters; none for a number beyond `bigint`."""
        if any(isinstance(value, int) and abs(value) >= 2**63 for value in parameters):
            return []
        values = [value if place is None else parameters[place] for place, value in self._values]
        rows = self._run(self._sql, values)
        return [self._object(row) for row in self._convert(rows, self._converters)]

    def _object(self, row: Sequence[Any]) -> M:
        result: M = self.model.from_db(connection.alias, self._fields, row[self._first : self._end])
        for populator in self._populators:
            populator.populate(row, result)
        for name, position in self._annotations.items():
            setattr(result, name, row[position])
        return result


def _run(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
