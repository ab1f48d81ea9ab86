"""Legacy addresses are a setting; each leads to the same page as the row's own address."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from config.urls import urlpatterns
from legacy_runs import checks
from legacy_runs.addresses import parse_addresses
from legacy_runs.checks import legacy_addresses_are_free, resolves_to_own_route
from legacy_runs.models import TABLES
from legacy_runs.urls import admin_routes, page_routes
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

#: Possible address patterns of an older installation, with an example of each.
SHAPES = [
    ("t/<slug:tenant>/inventory-sync-runs/<int:legacy_id>", "/t/fabrikam/inventory-sync-runs/{}"),
    (
        "workspaces/<int:workspace>/t/<uuid:tenant>/r/<int:legacy_id>/",
        f"/workspaces/7/t/{'0' * 8}-0000-0000-0000-{'0' * 12}/r/{{}}/",
    ),
    ("admin/t/<str:tenant>/sync-runs/<int:legacy_id>/", "/admin/t/a b/sync-runs/{}/"),
    ("admin/inventory-sync-runs/<int:legacy_id>/edit/", "/admin/inventory-sync-runs/{}/edit/"),
]


@pytest.fixture
def page(client: Client, reader: User, settings: Any) -> Client:
    """Return a signed-in client; the setting has these patterns for every kind."""
    table = [f"{kind}={kind}/{shape}" for kind in TABLES for shape, _ in SHAPES]
    table += [f"inventory_sync_run={shape}" for shape, _ in SHAPES]
    addresses = parse_addresses(table)
    settings.ROOT_URLCONF = site_with(addresses)
    open_session(client, reader)
    return client


def site_with(addresses: Any) -> Any:
    """Return the routes of an installation with these legacy addresses."""
    module: Any = ModuleType("site")
    module.urlpatterns = [*admin_routes(addresses), *urlpatterns, *page_routes(addresses)]
    module.handler404 = "tenancy.errors.not_found"
    return module


@pytest.mark.parametrize("address", [address for _, address in SHAPES])
def test_a_legacy_address_leads_to_the_run(address: str, tenant: Tenant, page: Client) -> None:
    run = create_canonical_run(tenant)
    mapped, unmapped = create_legacy_run(tenant, run=run), create_legacy_run(tenant)

    assert page.get(address.format(mapped.pk))["Location"] == run.get_absolute_url()
    assert b"This is a legacy run." in page.get(address.format(unmapped.pk)).content


@pytest.mark.parametrize("kind", TABLES)
def test_a_legacy_address_shows_the_row_of_its_kind(
    kind: str, tenant: Tenant, page: Client
) -> None:
    row = create_legacy_run(tenant, kind)

    text = page.get(f"/{kind}/t/x/inventory-sync-runs/{row.pk}").content.decode()

    assert f"{row.LABEL} <small>#{row.pk}" in text


@pytest.mark.parametrize("address", [address for _, address in SHAPES])
def test_a_foreign_row_has_the_same_404_as_a_missing_one(address: str, page: Client) -> None:
    foreign = create_legacy_run(TenantFactory())

    answers = [page.get(address.format(each)) for each in (foreign.pk, 2**40)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("address", [address for _, address in SHAPES])
def test_a_legacy_address_requires_sign_in(address: str, page: Client, tenant: Tenant) -> None:
    page.logout()

    answer = page.get(address.format(create_legacy_run(tenant).pk))

    assert answer.status_code == 302
    assert "sign-in" in answer["Location"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "inventory_sync_run",
        "inventory_sync_run=",
        "nonsense=runs/<int:legacy_id>/",
        "inventory_sync_run=runs/<int:id>/",
        "inventory_sync_run=/runs/<int:legacy_id>/",
        "inventory_sync_run=a/<int:legacy_id>/<int:legacy_id>/",
    ],
)
def test_an_invalid_line_fails_at_start(line: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="LEGACY_ADDRESSES"):
        parse_addresses([line])


@pytest.mark.parametrize(
    "shape",
    [
        "runs/<int:legacy_id>/",
        "w/<slug:slug>/tenants/<int:legacy_id>/",
        "legacy/inventory-sync-runs/<int:legacy_id>/",
    ],
)
def test_a_legacy_address_never_hides_a_page(shape: str, settings: Any) -> None:
    addresses = parse_addresses([f"inventory_sync_run={shape}"])
    settings.ROOT_URLCONF = site_with(addresses)

    assert not resolves_to_own_route(addresses[0])


def test_an_address_in_use_fails_the_system_checks(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert legacy_addresses_are_free() == []
    addresses = parse_addresses(["inventory_sync_run=runs/<int:legacy_id>/"])
    settings.ROOT_URLCONF = site_with(addresses)
    monkeypatch.setattr(checks, "ADDRESSES", addresses)

    (problem,) = legacy_addresses_are_free()

    assert problem.id == "legacy_runs.E001"
    assert "runs/<int:legacy_id>/" in problem.msg


def test_django_admin_keeps_its_address(page: Client, owner: User) -> None:
    assert page.get("/admin/")["Location"].startswith("/admin/login/")
