"""What the admin of every model starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from tenancy.querysets import WorkspaceScopedQuerySet
from web.ids import parse_id

M = TypeVar("M", bound=Model)

#: What the filters beside a list add to the name of a field.
FILTERS = ("", "__exact", "__id__exact", "__isnull", "__isempty", "__gte", "__lt")


class Chooser(AutocompleteSelect):
    """A field whose choices are looked up; what was sent and is no id chooses nothing."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> list[Any]:
        ids = [choice for choice in value if parse_id(str(choice)) is not None]
        return super().optgroups(name, ids, attr)


class ModelAdmin(admin.ModelAdmin[M]):
    """Saves and deletes through services, whose refusals are told; leads to pages that one may see."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters of the list offer: `secret__startswith` would tell a secret."""
        return lookup in {name + added for name in self.filtered_by() for added in FILTERS}

    def filtered_by(self) -> Iterator[str]:
        """The names of the fields and parameters that the filters beside the list use."""
        for item in self.list_filter:
            name: Any = item[0] if isinstance(item, tuple | list) else item
            yield getattr(name, "parameter_name", name)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Chooser(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ValidationError as refused:
            return _told(request, refused)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except ValidationError as refused:
            return _told(request, refused)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """“View on site” is for members: for anybody else there is nothing there."""
        answer: Any = super().render_change_form(request, context, *args, **kwargs)
        shown = context["original"]
        if shown and not self._may_visit(request, shown):
            answer.context_data["has_absolute_url"] = False
        return answer

    def _may_visit(self, request: HttpRequest, shown: Model) -> bool:
        rows = type(shown)._default_manager.filter(pk=shown.pk)  # noqa: SLF001
        if not isinstance(rows, WorkspaceScopedQuerySet):
            return False
        return rows.visible_to(request.user).exists()


def _told(request: HttpRequest, refused: ValidationError) -> HttpResponse:
    """Back to the form, with what the service said; nothing was changed."""
    messages.error(request, " ".join(refused.messages))
    return redirect(request.get_full_path())


class ReadOnly:
    """No adding, no changing, no deleting, whoever asks."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class NeverDeleted:
    """It is part of what happened; there is another way to put it out of use."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WholeForm(forms.ModelForm[M]):
    """Checks what is changed against every constraint, those over fields that it only shows too."""

    def validate_unique(self) -> None:
        super().validate_unique()
        if self.instance.pk is None or self.errors:
            return
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self.add_error(None, error.messages)
