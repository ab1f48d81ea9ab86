"""The filters of a list: read from its address, and shown again in its filter form.

An invalid value is reported and never ignored: a list with more rows than requested would be
trusted, and bulk actions would work on it.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms.widgets import Input
from django.utils.choices import CallableChoiceIterator
from django.utils.safestring import SafeString, mark_safe

from tenancy.models import Tenant, TenantStatus
from web.ids import parse_id

MAX_SEARCH, MAX_NAME = 100, 200
#: A longer menu is of no use; a tenant's own page links to the lists of that tenant.
TENANTS_IN_MENU = 200
FIRST_DAY, LAST_DAY = dt.date(2000, 1, 1), dt.date(2199, 12, 31)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: The hours of a day by their values in an address.
HOURS = tuple((str(hour), f"{hour:02}:00") for hour in range(24))
NOT_AN_HOUR = "select an hour from 0 through 23."
HOUR_WITHOUT_DAY = "select a day for the hour."
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def _attributes(values: Mapping[str, Any]) -> str:
    """Return attributes as Django's `flatatt` does, which needs longer."""
    return "".join(
        f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
        for name, value in values.items()
        if value is not None and value is not False
    )


class FastInput(Input):
    """An input of a filter form. A function writes it, because templates need longer."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Return the element with its value."""
        text = self.format_value(value)
        value_attribute = "" if text is None else f' value="{html.escape(text)}"'
        rest = _attributes(self.build_attrs(self.attrs, attrs))
        return mark_safe(  # noqa: S308 - all escaped
            f'<input type="{self.input_type}" name="{html.escape(name)}"{value_attribute}{rest}>'
        )


class TextInput(FastInput, forms.TextInput):
    """A text."""


class DayInput(FastInput, forms.DateInput):
    """A date picker. An invalid date is reported and not shown in it: browsers reject that."""

    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        try:
            return super().format_value(dt.date.fromisoformat(value))
        except (TypeError, ValueError):
            return super().format_value(value if isinstance(value, dt.date) else None)


class Select(forms.Select):
    """A menu of a filter form. A function writes its options, because templates need longer."""

    def __init__(self, attrs: Mapping[str, Any] | None = None, choices: Any = ()) -> None:
        super().__init__({"class": "form-select", **(attrs or {})}, choices)

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Return the element with its options, of which none is a group."""
        attributes = _attributes({"name": name, **self.build_attrs(self.attrs, attrs)})
        selected = {str(each) for each in self.format_value(value)}
        options = "".join(
            f'<option value="{html.escape(str(key))}"{" selected" * (str(key) in selected)}>'
            f"{html.escape(str(label))}</option>"
            for key, label in self.choices
        )
        return mark_safe(f"<select{attributes}>{options}</select>")  # noqa: S308 - all escaped


class HourInput(FastInput, forms.NumberInput):
    """The hour of a day; without one, the whole day counts."""

    def __init__(self, label: str) -> None:
        attrs = {"class": "form-control", "min": 0, "max": 23, "placeholder": "Hour"}
        super().__init__({**attrs, "aria-label": label})

    def format_value(self, value: Any) -> str | None:
        """Return an hour; browsers reject other texts."""
        return value if value in dict(HOURS) else None


class LookupInput(TextInput):
    """A text that names one of many objects; a menu of them would be longer than the page."""

    input_type = "search"

    def __init__(self, placeholder: str) -> None:
        attrs = {"class": "form-control", "maxlength": MAX_NAME, "placeholder": placeholder}
        super().__init__({**attrs, "data-lookup": ""})


class LookupField(forms.CharField):
    """Finds the key of what the text names: the key itself, the name, or a part that is unique.

    `find` returns the keys and names that the text can mean, the best ones only. The page shows the
    name.
    """

    find: Callable[[str], Sequence[tuple[str, str]]]

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_NAME, **options)
        #: The name of what was found, or else the text.
        self.shown = ""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what the page shows."""
        return self.shown or data

    def clean(self, value: Any) -> str:
        """Return the key.

        Raises:
            ValidationError: nothing has this name, or several do.
        """
        self.shown = text = str(super().clean(value))
        if not text:
            return ""
        matches = self.find(text)
        if not matches:
            raise ValidationError(f"“{text[:60]}” was not found. Enter a name or a part of it.")
        if len(matches) > 1:
            names = ", ".join(name for _, name in matches[:3])
            raise ValidationError(f"“{text[:60]}” can be {names}{' …' * (len(matches) > 3)}.")
        key, self.shown = matches[0]
        return key


def find_tenants(tenants: QuerySet[Tenant], text: str) -> list[tuple[str, str]]:
    """Return the tenants that a text can mean: by id, else by name, else by a part of the name."""
    named = Q(name__iexact=text)
    tenant_id = parse_id(text)
    for match in (Q(pk=tenant_id), named, Q(name__icontains=text)):
        rows = tenants.filter(match).order_by("name", "pk").values_list("pk", "name")
        if keys_and_names := [(str(pk), name) for pk, name in rows[:4]]:
            return keys_and_names
    return []


def start_of(day: dt.date, hour: str, zone: dt.tzinfo) -> dt.datetime:
    """Return the start of the day, or its hour."""
    return dt.datetime.combine(day, dt.time(int(hour or 0)), tzinfo=zone)


def end_of(day: dt.date, hour: str, zone: dt.tzinfo) -> dt.datetime:
    """Return the end of the day, or its hour."""
    return start_of(day if hour else day + dt.timedelta(days=1), hour, zone)


@dataclass(frozen=True)
class FilterField:
    """One input of a filter form, with the attributes that templates use of a `BoundField`."""

    name: str
    label: str
    value: Any
    widget: forms.Widget

    @property
    def id_for_label(self) -> str:
        return f"id_{self.name}"

    @property
    def widget_type(self) -> str:
        """“text”, “select”, “checkbox” or “hidden”."""
        return type(self.widget).__name__.removesuffix("Input").lower()

    def __str__(self) -> str:
        return self.widget.render(self.name, self.value, {"id": self.id_for_label})


def render_fields(fields: Iterable[FilterField | forms.BoundField]) -> SafeString:
    """Return the inputs of a filter form, with their labels."""
    return mark_safe("\n".join(map(_render_field, fields)))  # noqa: S308 - all escaped


def _render_field(field: FilterField | forms.BoundField) -> str:
    kind, label = field.widget_type, html.escape(str(field.label))
    if kind == "hidden":
        # Of a bound field, the value is a method.
        value = field.value() if isinstance(field, forms.BoundField) else field.value
        return str(field) if value else ""
    if kind == "checkbox":
        return f'<label class="filter-field" for="{field.id_for_label}">{field} {label}</label>'
    error = " has-error" if getattr(field, "errors", None) else ""
    hidden = "" if kind == "day" else ' class="visually-hidden"'
    return (
        f'<div class="filter-field filter-{kind}{error}">'
        f'<label for="{field.id_for_label}"{hidden}>{label}</label>\n{field}</div>'
    )


class ListFilter:
    """Reads filters from the parameters of an address.

    `fields` has the inputs of the filter form, in the order in which they were read; `errors` has
    one message for each invalid parameter.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.fields: list[FilterField] = []
        self.errors: list[str] = []
        self._params = params

    @property
    def is_set(self) -> bool:
        """Whether any filter has a value."""
        return any(field.value for field in self.fields)

    def text(self, label: str = "Name", name: str = "q") -> str:
        """Read the search text, without surrounding spaces."""
        text = self._value(name).strip()
        if len(text) > MAX_SEARCH:
            self.errors.append(f"Search: enter at most {MAX_SEARCH} characters.")
            text = ""
        elif _NOT_TEXT.search(text):
            self.errors.append("Search: remove the invalid characters.")
            text = ""
        attrs = {
            "type": "search",
            "class": "form-control",
            "maxlength": MAX_SEARCH,
            "placeholder": label,
            "data-filter": "",
        }
        self.fields.append(FilterField(name, label, text, TextInput(attrs)))
        return text

    def choice(
        self, name: str, label: str, choices: Iterable[tuple[str, str]], *, empty: str = ""
    ) -> str:
        """Read one of these choices from a menu, whose first entry is `empty`."""
        options = list(choices)
        value = self.one_of(name, label, dict(options))
        if empty:
            options.insert(0, ("", empty))
        widget = Select(choices=options)
        self.fields.append(FilterField(name, label, value, widget))
        return value

    def flag(self, name: str, label: str) -> bool:
        """Read a checkbox."""
        value = bool(self.one_of(name, label, ["1"]))
        self.fields.append(FilterField(name, label, value, forms.CheckboxInput({"value": "1"})))
        return value

    def day(self, name: str, label: str) -> dt.date | None:
        """Read a date."""
        value, day = self._value(name), None
        if _DAY.fullmatch(value):
            with suppress(ValueError):
                day = dt.date.fromisoformat(value)
        if value and (day is None or not FIRST_DAY <= day <= LAST_DAY):
            self.errors.append(f"{label}: enter a date such as 2026-03-08.")
            day = None
        widget = DayInput({"class": "form-control"}, format="%Y-%m-%d")
        self.fields.append(FilterField(name, label, day, widget))
        return day

    def hour(self, name: str, label: str, *, has_day: bool) -> str:
        """Read the hour of the day that was read before: “0” through “23”, or nothing."""
        value = self._value(name)
        if value and value not in dict(HOURS):
            self.errors.append(f"{label}: {NOT_AN_HOUR}")
            value = ""
        elif value and not has_day:
            self.errors.append(f"{label}: {HOUR_WITHOUT_DAY}")
        self.fields.append(FilterField(name, label, value, HourInput(label)))
        return value

    def hidden(self, name: str, label: str, values: Container[str]) -> str:
        """Read one of these values that the form keeps but does not show."""
        value = self.one_of(name, label, values)
        self.fields.append(FilterField(name, label, value, forms.HiddenInput()))
        return value

    def tenant(self, tenants: QuerySet[Tenant], name: str = "tenant") -> Tenant | None:
        """Read one of these tenants; any other tenant counts as missing."""
        value = self._value(name)
        tenant_id, tenant = parse_id(value), None
        if tenant_id is not None:
            tenant = tenants.filter(pk=tenant_id).first()
        if value and tenant is None:
            self.errors.append("Tenant: select a tenant of this workspace.")

        def menu() -> list[tuple[str, str]]:
            """Return the first tenants by name, and the selected one in any case, also if archived."""
            unarchived = tenants.exclude(status=TenantStatus.ARCHIVED)
            listed = list(unarchived.order_by("name", "pk")[:TENANTS_IN_MENU])
            if tenant and tenant not in listed:
                listed.append(tenant)
            return [("", "Any tenant"), *((str(row.pk), row.name) for row in listed)]

        widget = Select(choices=CallableChoiceIterator(menu))
        self.fields.append(FilterField(name, "Tenant", tenant and tenant.pk, widget))
        return tenant

    def one_of(self, name: str, label: str, values: Container[str]) -> str:
        """Read one of these values, without an input in the form."""
        value = self._value(name)
        if value and value not in values:
            self.errors.append(f"{label}: select one of the choices.")
            return ""
        return value

    def _value(self, name: str) -> str:
        return str(self._params.get(name) or "")
