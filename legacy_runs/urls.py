"""The routes of legacy runs and of the legacy addresses."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import URLPattern, path

from legacy_runs import views
from legacy_runs.addresses import ADDRESSES, LegacyAddress
from legacy_runs.models import TABLES


def admin_routes(addresses: Iterable[LegacyAddress]) -> list[URLPattern]:
    """Return the routes that must come before Django admin."""
    return [_route(address) for address in addresses if address.is_below_admin]


def page_routes(addresses: Iterable[LegacyAddress]) -> list[URLPattern]:
    """Return the other routes. They come last, so that they never hide a page of the product."""
    return [_route(address) for address in addresses if not address.is_below_admin]


def _route(address: LegacyAddress) -> URLPattern:
    kind = {"kind": address.kind}
    return path(address.path, views.legacy_run_detail, kind, name=address.name)


urlpatterns = [
    *(
        path(
            f"legacy/{kind.replace('_', '-')}s/<int:legacy_id>/",
            views.legacy_run_detail,
            {"kind": kind},
            name=f"legacy_{kind}",
        )
        for kind in TABLES
    ),
    path("w/<slug:slug>/legacy-runs/", views.legacy_run_list, name="legacy_run_list"),
    path(
        "w/<slug:slug>/tenants/<int:tenant_id>/runs/",
        views.tenant_run_list,
        name="tenant_run_list",
    ),
    *page_routes(ADDRESSES),
]
