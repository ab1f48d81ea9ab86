"""The base classes of every model admin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import BadRequest, EmptyResultSet, ValidationError
from django.db.models import CharField, ForeignKey, IntegerField, Lookup, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from tenancy.change_list import BoundedChangeList, CappedPaginator
from tenancy.models import Tenant, User
from tenancy.querysets import WorkspaceScopedQuerySet
from web.ids import parse_id
from web.keyset import COUNT_CAP
from web.names import validate_name
from web.term_search import TermIndex

M = TypeVar("M", bound=Model)

#: The suffixes that list filters append to a field name.
LOOKUP_SUFFIXES = ("", "__exact", "__id__exact", "__isnull", "__isempty", "__gte", "__lt")


@IntegerField.register_lookup
class NumberInText(Lookup[bool]):
    """An exact search for a number, which an index has; Django would compare the texts of all rows."""

    lookup_name = "iexact"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        number = parse_id(str(self.rhs))
        if number is None:
            raise EmptyResultSet
        sql, params = compiler.compile(self.lhs)
        return f"{sql} = %s", (*params, number)


def having_number(text: str, *names: str) -> Q:
    """Return the condition that one of these fields is the number that a text is, if it is one."""
    number = parse_id(text.removeprefix("#"))
    if number is None:
        return Q(pk__in=())
    return Q.create([(name, number) for name in names], Q.OR)


def having_part(text: str, model: type[Model], name: str) -> Q:
    """Return the condition of the rows whose field has a text, by an index of `search_trigrams`."""
    index = TermIndex(f"{model._meta.db_table}_terms", "search_trigrams", (name,))  # noqa: SLF001
    # Rows that are compared one by one seldom get to the terms, which take long to compute.
    return Q((f"{name}__icontains", text)) & index.having(text)


def of_rows(name: str, rows: QuerySet[Any]) -> Q:
    """Return the condition of the rows that refer to one of these by a field.

    It contains their ids, so that an index of the rows that refer to them has it.
    """
    return Q((f"{name}__in", list(rows.order_by().values_list("pk", flat=True))))


def of_tenants_named(text: str) -> Q:
    """Return the condition of the rows of tenants whose name has a text."""
    return of_rows("tenant", Tenant.objects.filter(name__icontains=text))


def of_users_named(text: str) -> Q:
    """Return the condition of the rows of users whose user name has a text."""
    return of_rows("user", User.objects.filter(username__icontains=text))


class StrictAutocompleteSelect(AutocompleteSelect):
    """An autocomplete field that ignores submitted values that are not ids."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> list[Any]:
        ids = [choice for choice in value if parse_id(str(choice)) is not None]
        return super().optgroups(name, ids, attr)


class ModelAdmin(admin.ModelAdmin[M]):
    """Saves and deletes through services, shows their errors, and links to visible pages only."""

    paginator = CappedPaginator
    #: Counting all rows, also those of each value of a filter, would read all of them.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def indexed_search(self, text: str) -> Q | None:
        """Return the condition of the rows that a text finds, if indexes have all parts of it.

        Without one, a search compares the rows of a long table, some for each page.
        """
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        text = search_term.strip()
        conditions = self.indexed_search(text) if text else None
        # The list needs to know, and Django passes nothing else to it.
        request.has_indexed_search = conditions is not None  # type: ignore[attr-defined]
        if conditions is None:
            return super().get_search_results(request, queryset, text)
        return queryset.filter(conditions), False

    def response_action(
        self, request: HttpRequest, queryset: Any, *args: Any, **options: Any
    ) -> HttpResponse | None:
        """Refuse an action on all rows of a list that are too many to be counted."""
        selects_all = "1" in request.POST.getlist("select_across")
        if selects_all and queryset[: COUNT_CAP + 1].count() > COUNT_CAP:
            messages.error(
                request,
                f"The list has more than {COUNT_CAP:,} rows, so not all of them can be selected. "
                "Narrow the filter.",
            )
            return None
        return super().response_action(request, queryset, *args, **options)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters of the list: `secret__startswith` would reveal a secret."""
        return lookup in {name + added for name in self.filtered_by() for added in LOOKUP_SUFFIXES}

    def filtered_by(self) -> Iterator[str]:
        """Yield the fields and parameters that the filters of the list use."""
        for item in self.list_filter:
            name: Any = item[0] if isinstance(item, tuple | list) else item
            yield getattr(name, "parameter_name", name)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Accept no secret and no invisible character in a line of text, as pages do."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, CharField) and isinstance(field, forms.CharField):
            field.validators = [*field.validators, validate_name]
        return field

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", StrictAutocompleteSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        """Return the object of a page; an empty `_to_field` is refused, as an unknown one is."""
        if from_field == "":
            raise BadRequest("_to_field is empty")
        return super().get_object(request, object_id, from_field)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ValidationError as error:
            return _redirect_with_error(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except ValidationError as error:
            return _redirect_with_error(request, error)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Show “View on site” to members only: for other users the page does not exist."""
        response: Any = super().render_change_form(request, context, *args, **kwargs)
        if row := context["original"]:
            rows = type(row)._default_manager.filter(pk=row.pk)  # noqa: SLF001
            is_scoped = isinstance(rows, WorkspaceScopedQuerySet)
            if not is_scoped or not rows.visible_to(request.user).exists():
                response.context_data["has_absolute_url"] = False
        return response


def _redirect_with_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Redirect to the form and show the message of the service; nothing was changed."""
    messages.error(request, " ".join(error.messages))
    return redirect(request.get_full_path())


class ReadOnly:
    """Rows cannot be added, changed or deleted, not even by superusers."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class NeverDeleted:
    """Rows cannot be deleted because other data refers to them; they can be disabled."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WholeForm(forms.ModelForm[M]):
    """Validates every constraint, including those over read-only fields."""

    def validate_unique(self) -> None:
        super().validate_unique()
        if self.instance.pk is None or self.errors:
            return
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self.add_error(None, error.messages)
