"""The lists of the administration site, which take a limited time however long a table is.

A list of up to `COUNT_CAP` rows has Django's page numbers. A longer one is not counted: each of its
pages begins after the last row of the page before, or ends before the first row of the page after.

A table of more than `SEARCHED` rows is sorted by its primary key, unless an index has the order of
the list. Its filters, and a search without an index, compare `SEARCHED` rows for a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import (
    BooleanField,
    F,
    Func,
    Index,
    Model,
    Q,
    QuerySet,
    UniqueConstraint,
    Value,
)
from django.db.models.lookups import GreaterThan, LessThan
from django.http import HttpRequest
from django.utils.functional import cached_property

from web.keyset import COUNT_CAP, BadCursor, Page, count_text
from web.statement_timeout import TookTooLong, statement_timeout
from web.term_search import COMPARED

LIST_SECONDS = 5.0
#: The rows of a long table that are compared for a page.
SEARCHED = 100_000
#: The parameters that say after which row a page begins, or before which one it ends.
EDGES = ("after", "before")


class CappedPaginator(Paginator[Any]):
    """Counts one row more than the cap at most."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[: COUNT_CAP + 1].count())


class BoundedChangeList(ChangeList):
    """A list with page numbers, or with pages by key if it has more rows than are counted."""

    count_text = "0"
    first_url = previous_url = next_url = ""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows that the filters select, in an order that ends with the primary key."""
        self.edges = {name: request.GET.get(name, "") for name in EDGES}
        for name in EDGES:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        self.has_indexed_search = getattr(request, "has_indexed_search", False)
        self.order = _whole_order(self.model, rows.query.order_by)
        return rows.order_by(*[term.order_by for term in self.order])

    def get_results(self, request: HttpRequest) -> None:
        try:
            with statement_timeout(LIST_SECONDS):
                self.read(request)
        except TookTooLong:
            messages.error(request, "The search took too long. Narrow the filter.")
            self.show([])
            self.show_admin_actions = False

    def read(self, request: HttpRequest) -> None:
        """Read a page and the number of rows."""
        is_narrowed = bool(self.query or self.has_active_filters)
        if (is_narrowed or not _has_index(self.model, self.order)) and self._is_long():
            self._order_by_key(request)
            if is_narrowed:
                self._read_by_key(request, is_narrowed=True)
                return
        super().get_results(request)
        self.count_text = count_text(self.result_count, COUNT_CAP)
        if self.result_count > COUNT_CAP or any(self.edges.values()):
            self._read_by_key(request)
        self.result_list = list(self.result_list)

    def show(self, rows: list[Any], *, before: object = "", after: object = "") -> None:
        """Show these rows, and links to the pages before and after edges; of all rows no number."""
        self.result_list, self.result_count, self.full_result_count = rows, len(rows), None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.paginator = Paginator(rows, self.list_per_page)
        if any(self.edges.values()):
            self.first_url = self.get_query_string()
        if before:
            self.previous_url = self.get_query_string({"before": before})
        if after:
            self.next_url = self.get_query_string({"after": after})

    def _is_long(self) -> bool:
        keys = self.root_queryset.order_by("pk").values_list("pk")
        return bool(keys[SEARCHED : SEARCHED + 1])

    def _order_by_key(self, request: HttpRequest) -> None:
        """Sort the list by its primary key, if it is not."""
        key = self.lookup_opts.pk
        if [term.name for term in self.order] == [key.attname]:
            return
        if self.params.get(ORDER_VAR):
            text = f"More than {SEARCHED:,} rows cannot be sorted like this. The newest come first."
            messages.info(request, text)
        self.order = [Term(key.attname, key, is_descending=True)]
        self.queryset = self.queryset.order_by(self.order[0].order_by)

    def _read_by_key(self, request: HttpRequest, *, is_narrowed: bool = False) -> None:
        """Read the page at an edge or the first one, and one row more, which has a further page."""
        is_reversed = bool(self.edges["before"] and not self.edges["after"])
        edge = self.edges["before" if is_reversed else "after"]
        values = self._values_of(edge) if edge else None
        if edge and not values:
            messages.info(request, "The list has changed. This is its first page.")
            self.edges, edge, is_reversed = dict.fromkeys(EDGES, ""), "", False
        rows, reached = self._after(values, self.queryset, is_reversed=is_reversed), ""
        if is_narrowed:
            scope = self._after(values, self.root_queryset, is_reversed=is_reversed)
            read, reached = self._compare(rows, scope)
        else:
            read = list(rows[: self.list_per_page + 1])
        shown = read[: self.list_per_page]
        first, last = (shown[0].pk, shown[-1].pk) if shown else ("", "")
        further = last if len(read) > self.list_per_page else reached
        if is_reversed:
            self.show(shown[::-1], before=further, after=first)
        else:
            self.show(shown, before=first if edge else "", after=further)
        if is_narrowed:
            is_whole = not (further or edge)
            self.count_text = count_text(len(shown)) + ("" if is_whole else "+")
        if reached:
            link = "Previous page" if is_reversed else "Next page"
            messages.info(request, f"{SEARCHED:,} rows were searched. “{link}” searches further.")

    def _after(
        self, values: Sequence[Any] | None, rows: QuerySet[Any], *, is_reversed: bool
    ) -> QuerySet[Any]:
        """Return the rows after these values of the order, or all without values."""
        rows = rows.order_by(*[term.order_by for term in self.order])
        if is_reversed:
            rows = rows.reverse()
        if not values:
            return rows
        return _rows_after(rows, self.order, values, is_reversed=is_reversed)

    def _compare(self, rows: QuerySet[Any], scope: QuerySet[Any]) -> tuple[list[Any], Any]:
        """Return the first of `rows`, which are those of the scope that satisfy the conditions.

        Returns also the key of the row up to which the scope was compared; empty if the rows fill a
        page, or if there are no others.
        """
        count = self.list_per_page + 1
        compared = COMPARED * count if self.has_indexed_search else SEARCHED
        reached = list(scope.values_list("pk", flat=True)[compared - 1 : compared + 1])
        if len(reached) < 2:  # All rows of the scope are compared.
            return list(rows[:count]), ""
        key, is_descending = self.order[0].name, self.order[0].is_descending
        lookup = "gte" if is_descending is rows.query.standard_ordering else "lte"
        nearest = Q((f"{key}__{lookup}", reached[0]))
        read = list(rows.filter(nearest)[:count])
        if len(read) == count:
            return read, ""
        if not self.has_indexed_search:
            return read, reached[0]
        # No index has this order, so that PostgreSQL does not search in the order of one. Rows that
        # are read backwards stay reversed.
        by_value = F(key) + 0
        order = by_value.desc() if is_descending else by_value.asc()
        return list(rows.order_by(order)[:count]), ""

    def _values_of(self, edge: str) -> tuple[Any, ...] | None:
        """Return the values of the order of the row with this id; None if there is no such row."""
        key = self.lookup_opts.pk
        try:
            value = key.to_python(edge)
        except ValidationError:
            return None
        if "\0" in edge:
            return None
        names = [term.name for term in self.order]
        return self.root_queryset.order_by().filter(pk=value).values_list(*names).first()


class CursorChangeList(BoundedChangeList):
    """The newest rows page by page, as the list of a workspace reads them."""

    def read(self, request: HttpRequest) -> None:
        try:
            page = self.read_page(newer=self.edges["before"], older=self.edges["after"])
        except BadCursor as error:
            raise IncorrectLookupParameters from error
        self.show(page.rows, before=page.newer, after=page.older)
        is_whole = not (page.older or any(self.edges.values()))
        self.count_text = count_text(len(page.rows)) if is_whole else self.read_count()
        self.show_admin_actions = False

    def read_page(self, *, newer: str, older: str) -> Page[Any]:
        """Return a page of the rows that the filters and the search select.

        Raises:
            BadCursor: a cursor is not one of the list.
        """
        raise NotImplementedError

    def read_count(self) -> str:
        """Return the number of these rows as text."""
        raise NotImplementedError


@dataclass(frozen=True)
class Term:
    """A column of an order, by its path from the model."""

    name: str
    field: Any
    is_descending: bool
    is_nullable: bool = False

    @property
    def order_by(self) -> str:
        return f"-{self.name}" if self.is_descending else self.name

    def follows(self, value: Any, *, is_reversed: bool) -> Q | None:
        """Return the condition of the rows after a value; None if there are none.

        The database sorts null as the largest value.
        """
        if self.is_descending is is_reversed:
            if value is None:
                return None
            larger = Q((f"{self.name}__gt", value))
            return larger | Q((f"{self.name}__isnull", True)) if self.is_nullable else larger
        if value is None:
            return Q((f"{self.name}__isnull", False))
        return Q((f"{self.name}__lt", value))

    def equals(self, value: Any) -> Q:
        return Q((f"{self.name}__isnull", True)) if value is None else Q((self.name, value))


def _whole_order(model: type[Model], ordering: Iterable[Any]) -> list[Term]:
    """Return the columns of an order and the primary key, in the direction of the last column.

    In one direction, an index that ends with the primary key has the order.
    """
    key = model._meta.pk  # noqa: SLF001 - the documented interface of models
    terms: list[Term] = []
    for name in map(str, ordering):
        if name == "-pk":  # Django adds it to every order.
            break
        terms += _terms(model, name.removeprefix("-"), is_descending=name.startswith("-"))
    is_descending = terms[-1].is_descending if terms else True
    if not any(term.name == key.attname for term in terms):
        terms.append(Term(key.attname, key, is_descending))
    return terms


def _has_index(model: type[Model], order: Sequence[Term]) -> bool:
    """Whether an index has the columns of an order, with or without the primary key at its end."""
    meta: Any = model._meta  # noqa: SLF001 - as above
    if any(term.is_nullable or term.is_descending is not order[0].is_descending for term in order):
        return False
    indexed: list[Sequence[str]] = [
        [field.name] for field in meta.local_fields if field.db_index or field.unique
    ]
    indexed += [
        index.fields
        for index in (*meta.indexes, *meta.constraints)
        if isinstance(index, Index | UniqueConstraint) and not index.condition
    ]
    names = [term.name for term in order]
    for fields in indexed:
        columns = [meta.get_field(name.removeprefix("-")).attname for name in fields]
        if names in (columns, [*columns, meta.pk.attname]):
            return True
    return False


def _terms(model: type[Model], path: str, *, is_descending: bool) -> Iterator[Term]:
    """Yield the columns of a path; a related object is sorted in the order of its model."""
    fields: list[Any] = get_fields_from_path(model, path)
    field, is_nullable = fields[-1], any(each.null for each in fields)
    if not field.is_relation or path.endswith(field.attname):
        yield Term(path, field, is_descending, is_nullable)
    elif ordering := field.related_model._meta.ordering:  # noqa: SLF001 - as above
        for name in ordering:
            is_opposite = is_descending is not name.startswith("-")
            yield from _terms(model, f"{path}__{name.removeprefix('-')}", is_descending=is_opposite)
    else:
        yield Term(f"{path}_id", field, is_descending, is_nullable)


def _rows_after(
    rows: QuerySet[Any], order: Sequence[Term], values: Sequence[Any], *, is_reversed: bool
) -> QuerySet[Any]:
    """Return the rows after these values of an order, or before them if the rows are reversed."""
    is_one_way = len({term.is_descending for term in order}) == 1
    if is_one_way and not any(term.is_nullable for term in order):
        compare = GreaterThan if order[0].is_descending is is_reversed else LessThan
        names = [term.name for term in order]
        row = [Value(value, term.field) for term, value in zip(order, values, strict=True)]
        return rows.filter(compare(_Row(*names), _Row(*row)))
    follows, equals = Q(), Q()
    for term, value in zip(order, values, strict=True):
        if (of_term := term.follows(value, is_reversed=is_reversed)) is not None:
            follows |= equals & of_term
        equals &= term.equals(value)
    return rows.filter(follows)


class _Row(Func):
    function = "ROW"
    output_field = BooleanField()
