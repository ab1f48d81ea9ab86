"""Plants texts in every form of the product, as a browser sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.test import Client
from django.urls import resolve, reverse

TEXT_TYPES = {"", "text", "search", "email", "url", "textarea"}
#: What a required field gets while another one is tested, by a part of its name.
DEFAULTS = {
    "external_id": "3b8c2f4e-90d1-4c55-8a44-1f2e3d4c5b6a",
    "client_id": "3b8c2f4e-90d1-4c55-8a44-1f2e3d4c5b6a",
    "slug": "new-workspace",
    "cron": "0 2 * * *",
    "email": "new@example.com",
    "username": "new",
}
#: A failure of the product, and a limit: a request that is over it reaches nothing.
FAILURES = (429, 500)


@dataclass
class Form:
    """A form of a page that is sent by POST: its values, and what can be written into it."""

    address: str
    values: dict[str, list[str]] = field(default_factory=dict)
    #: The length that each text field accepts.
    texts: dict[str, int] = field(default_factory=dict)
    passwords: list[str] = field(default_factory=list)

    def set(self, name: str, value: str) -> None:
        self.values.setdefault(name, []).append(value)

    def filled(self, name: str, text: str) -> dict[str, list[str]]:
        """Return what is sent with a text in one field."""
        values = {key: list(value) for key, value in self.values.items()}
        for other in self.texts:
            if not values.get(other, [""])[0]:
                matches = (value for part, value in DEFAULTS.items() if part in other)
                values[other] = [next(matches, "Planted")]
        return values | {name: [text]}


class FormParser(HTMLParser):
    """Collects the forms of a page that are sent by POST."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: tuple[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            is_post = values.get("method", "").lower() == "post"
            action = urljoin(self.address, values.get("action") or self.address)
            self._form = Form(action) if is_post else None
        elif self._form is None:
            return
        elif tag in ("input", "textarea") and values.get("name"):
            self._add_input(self._form, tag, values)
        elif tag == "select" and values.get("name"):
            self._select = values["name"], None
        elif tag == "option" and self._select:
            name, chosen = self._select
            if "selected" in values or (chosen is None and values.get("value")):
                self._select = name, values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form:
            self.forms.append(self._form)
            self._form = None
        elif tag == "select" and self._select and self._form:
            name, chosen = self._select
            if chosen is not None:
                self._form.set(name, chosen)
            self._select = None

    @staticmethod
    def _add_input(form: Form, tag: str, values: dict[str, str]) -> None:
        kind = "textarea" if tag == "textarea" else values.get("type", "")
        if kind == "password":
            form.passwords.append(values["name"])
        elif kind in TEXT_TYPES:
            form.texts[values["name"]] = int(values.get("maxlength") or 200)
            form.set(values["name"], values.get("value", ""))
        elif kind not in ("checkbox", "radio", "submit", "file") or "checked" in values:
            form.set(values["name"], values.get("value", "on"))


def plant_in_forms(
    client: Client,
    addresses: Iterable[str],
    texts: Sequence[str],
    secrets: Sequence[str],
    renew: Callable[[str, str], int | None],
) -> dict[tuple[str, str], int]:
    """Send the forms of these pages with each text in each of their fields, and the secrets as passwords.

    One page of each route is opened, and a form is sent once for each text: the fields are those of
    its route. `renew` returns the id of a new object if that of the form can be used only once.
    Returns how many texts each field accepted, by the route and the name of the field.
    """
    accepted: dict[tuple[str, str], int] = {}
    for form in _forms_of(client, addresses):
        route = resolve(urlsplit(form.address).path)
        for name in (*form.texts, *form.passwords):
            place = (route.view_name, name)
            if place in accepted:
                continue
            accepted[place] = 0
            for text in secrets if name in form.passwords else texts:
                if len(text) > form.texts.get(name, len(text)):
                    continue
                ids = {
                    key: renew(route.view_name, key) or value for key, value in route.kwargs.items()
                }
                address = reverse(route.view_name, args=route.args, kwargs=ids)
                answer = client.post(address, form.filled(name, text))
                assert answer.status_code not in FAILURES, (place, answer.status_code, text)
                accepted[place] += answer.status_code == 302
    return accepted


def _forms_of(client: Client, addresses: Iterable[str]) -> Iterator[Form]:
    """Yield the forms of one page of each route; of runs, whose states differ, those of each page."""
    opened: set[str] = set()
    for address in addresses:
        route = resolve(urlsplit(address).path).view_name
        if route in opened and route != "run_detail":
            continue
        response = client.get(address)
        assert response.status_code not in FAILURES, address
        if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
            continue
        opened.add(route)
        parser = FormParser(address)
        parser.feed(response.getvalue().decode())
        yield from parser.forms
