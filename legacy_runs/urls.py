"""The addresses of history."""

from django.urls import path

from legacy_runs import views
from legacy_runs.addresses import OLDER, elsewhere
from legacy_runs.models import TABLES

urlpatterns = [
    *(
        path(
            f"legacy/{kind.replace('_', '-')}s/<int:legacy_id>/",
            views.legacy_run,
            {"kind": kind},
            name=f"legacy_{kind}",
        )
        for kind in TABLES
    ),
    path("w/<slug:slug>/history/", views.history_list, name="history_list"),
    path(
        "w/<slug:slug>/tenants/<int:tenant_id>/history/",
        views.tenant_history,
        name="tenant_history",
    ),
    *elsewhere(OLDER),
]
