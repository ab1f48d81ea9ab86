"""Every admin page rejects input that no link or form sends, and never crashes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from typing import Any

import pytest
from django.contrib.admin.widgets import AutocompleteMixin
from django.db.models import Field, Model
from django.test import Client, RequestFactory
from django.urls import reverse

from tenancy.model_admin import LOOKUP_SUFFIXES
from tests.isolation.admin_pages import REGISTERED, addresses, create_staff
from tests.isolation.bad_input import BROKEN, FORM, HOSTILE
from tests.isolation.conftest import SignIn, World

pytestmark = pytest.mark.django_db

EVERY_MODEL = pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
ACCEPTABLE_STATUSES = {200, 302, 400, 403, 404, 405, 413, 415}
VALUES = [
    *("", "%00", "a%00b", "%ff%fe", "%ed%a0%80", "9" * 5000, "-1", "9" * 20, "1e400", "NaN"),
    *("2026-02-30", "99999-01-01", "0", "9999", "%EF%BC%99", "' OR 1=1", "%3Cscript%3Ealert(1)"),
    *("[", "{}", "a" * 4000, "1,2,%00", "True", "None", "\\", "%25", "a/b/c"),
]
PARAMETERS = [
    *(
        "q",
        "o",
        "p",
        "e",
        "all",
        "ot",
        "t",
        "_popup",
        "_to_field",
        "_changelist_filters",
        "_facets",
        "after",
        "before",
    ),
    *("_source_model", "id", "id__exact", "pk", "foo__bar", "foo", "id__in", "id__isnull"),
    *("id__range", "workspace__id__exact", "tenant__workspace__slug", "workspace__name__regex"),
    *("password", "password__startswith", "encrypted_credential__startswith", "kinds__overlap"),
    *("created_at__gte", "created_at__year", "attempt_time__year", "attempt_time__month"),
    *("attempt_time__day", "date_joined__year", "user__password__contains", "context__secret"),
]

IDS = [*VALUES[1:-1], "a%2Fb", "_00", "_5F", "1_2F2"]


@pytest.fixture
def client(world: World, sign_in: SignIn) -> Client:
    client = sign_in(create_staff(superuser=True))
    client.raise_request_exception = False
    return client


def check_response(response: Any, description: str) -> Any:
    assert response.status_code in ACCEPTABLE_STATUSES, (response.status_code, description[:200])
    assert b"Traceback" not in response.content
    assert b"<script>alert(1)" not in response.content
    assert b"database installation" not in response.content
    return response


def parameters_of(model: type[Model]) -> list[str]:
    """Return the parameters that the list of the model accepts, and others."""
    ranges = [f"{name}__range" for name in fields_of(model)]
    return [*PARAMETERS, *ranges]


def fields_of(model: type[Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields() if isinstance(field, Field)]


def filters_of(model: type[Model]) -> list[str]:
    """Return the parameters of the filter links of the list, and variants of them."""
    registered: Any = REGISTERED[model]
    return [name + suffix for name in registered.filtered_by() for suffix in LOOKUP_SUFFIXES]


@EVERY_MODEL
def test_a_list_accepts_any_parameter(client: Client, model: type[Model]) -> None:
    address = addresses(model)["list"]
    parameters = [
        *zip(parameters_of(model), cycle(VALUES), strict=False),
        *zip(filters_of(model), cycle(("%00", "9" * 30, "x")), strict=False),
        *product(
            ("q", "o", "p", "e", "all", "after", "before"),
            ("%00", "9" * 30, "1.9999", "-1", "%ed%a0%80"),
        ),
    ]

    for name, value in parameters:
        check_response(client.get(f"{address}?{name}={value}"), f"{name}={value}")


@EVERY_MODEL
def test_every_other_page_accepts_any_parameter_and_id(client: Client, model: type[Model]) -> None:
    pages = addresses(model)

    for page, value in product(("detail", "history", "add", "delete"), ("", "%00", "9" * 30, "x")):
        query = "&".join(f"{name}={value}" for name in parameters_of(model))
        check_response(client.get(f"{pages[page]}?{query}"), f"{page} {value}")
    for value, page in zip(IDS, cycle(("change/", "history/", "delete/", "")), strict=False):
        address = f"{pages['list']}{value}/{page}"
        check_response(client.get(address, follow=True), address)


@EVERY_MODEL
def test_a_form_accepts_any_value_in_every_field(client: Client, model: type[Model]) -> None:
    names = [
        *fields_of(model),
        *("_save", "_continue", "_addanother", "_saveasnew", "action", "_selected_action"),
        *("index", "select_across", "password1", "password2", "usable_password"),
    ]
    forms = [(b"&".join(name.encode() + b"=" + value for name in names), FORM) for value in HOSTILE]

    for page in ("add", "detail", "list"):
        address = addresses(model)[page]
        refused = client.post(address).status_code == 403
        for body, content_type in [*forms, *BROKEN][: 1 if refused else None]:
            response = client.generic("POST", address, body, content_type)
            check_response(response, f"{page} {body[:20]!r}")


def autocomplete_fields() -> Iterator[tuple[str, str, str]]:
    """Return every autocomplete field of the admin's forms."""
    request = RequestFactory().get("/admin/")
    request.user = create_staff(superuser=True)
    for registered in REGISTERED.values():
        for owner in (registered, *registered.get_inline_instances(request)):
            for name in owner.get_autocomplete_fields(request):
                yield owner.opts.app_label, owner.opts.model_name or "", name


def test_autocomplete_accepts_any_text(client: Client) -> None:
    address = reverse("admin:autocomplete")
    assert AutocompleteMixin.url_name == "%s:autocomplete"
    fields = list(autocomplete_fields())
    assert len(fields) > 5

    for app, model, field in fields:
        source = f"app_label={app}&model_name={model}&field_name={field}"
        for value in VALUES:
            check_response(client.get(f"{address}?{source}&term={value}"), f"{source} {value}")
            check_response(client.get(f"{address}?{source}&term=a&page={value}"), f"page {value}")


def test_autocomplete_for_an_invalid_field_is_rejected(client: Client) -> None:
    address = reverse("admin:autocomplete")

    for value in VALUES:
        for name in ("app_label", "model_name", "field_name"):
            source = {"app_label": "tenancy", "model_name": "tenant", "field_name": "workspace"}
            query = "&".join(f"{key}={text}" for key, text in {**source, name: value}.items())
            check_response(client.get(f"{address}?{query}"), query)


@pytest.mark.parametrize(
    "address",
    ["/admin/", "/admin/tenancy/", "/admin/nonsense/", "/admin/jsi18n/", "/admin/password_change/"],
)
def test_other_admin_pages_accept_any_parameter(client: Client, address: str) -> None:
    for value in VALUES:
        query = "&".join(f"{name}={value}" for name in PARAMETERS)
        check_response(client.get(f"{address}?{query}"), f"{address} {value}")


def test_an_invalid_link_to_the_site_is_not_found(client: Client) -> None:
    for value in VALUES[1:]:
        for path in (f"{value}/1", f"1/{value}", f"{value}/{value}"):
            check_response(client.get(f"/admin/r/{path}/"), path)
