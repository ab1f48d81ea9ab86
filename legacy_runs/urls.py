"""The addresses of legacy runs."""

from django.urls import path

from legacy_runs import views
from legacy_runs.addresses import OLDER, elsewhere
from legacy_runs.models import TABLES

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
    *elsewhere(OLDER),
]
