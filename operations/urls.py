from django.urls import path

from operations.views import (
    actions,
    bulk,
    detail,
    incidents,
    integrity,
    listing,
    overview,
    retention,
    run_log,
    saved_views,
)

urlpatterns = [
    path("runs/", listing.run_list_all, name="run_list_all"),
    path("runs/export.csv", listing.run_export_all, name="run_export_all"),
    path("runs/settings/", saved_views.list_settings, name="list_settings"),
    path("runs/<int:run_id>/", detail.run_detail, name="run_detail"),
    path("runs/<int:run_id>/log.txt", run_log.run_log, name="run_log"),
    path("runs/<int:run_id>/cancel/", actions.run_cancel, name="run_cancel"),
    path("runs/<int:run_id>/retry/", actions.run_retry, name="run_retry"),
    path("runs/<int:run_id>/run-again/", actions.run_again, name="run_again"),
    path("runs/<int:run_id>/acknowledge/", actions.run_acknowledge, name="run_acknowledge"),
    path("integrity/", integrity.ledger_integrity, name="ledger_integrity"),
    path("integrity/check/", integrity.ledger_check, name="ledger_check"),
    path("w/<slug:slug>/", overview.overview, name="overview"),
    path("w/<slug:slug>/runs/", listing.run_list, name="run_list"),
    path("w/<slug:slug>/runs/export.csv", listing.run_export, name="run_export"),
    path("w/<slug:slug>/runs/cancel/", bulk.run_cancel_many, name="run_cancel_many"),
    path("w/<slug:slug>/runs/retry/", bulk.run_retry_many, name="run_retry_many"),
    path("w/<slug:slug>/runs/acknowledge/", bulk.run_acknowledge_many, name="run_acknowledge_many"),
    path("w/<slug:slug>/runs/views/", saved_views.saved_view_list, name="saved_view_list"),
    path("w/<slug:slug>/runs/views/new/", saved_views.saved_view_create, name="saved_view_create"),
    path(
        "w/<slug:slug>/runs/views/<int:view_id>/edit/",
        saved_views.saved_view_edit,
        name="saved_view_edit",
    ),
    path(
        "w/<slug:slug>/runs/views/<int:view_id>/delete/",
        saved_views.saved_view_delete,
        name="saved_view_delete",
    ),
    path("w/<slug:slug>/incidents/", incidents.incident_list, name="incident_list"),
    path(
        "w/<slug:slug>/incidents/<int:incident_id>/",
        incidents.incident_detail,
        name="incident_detail",
    ),
    path(
        "w/<slug:slug>/incidents/<int:incident_id>/retry/",
        incidents.incident_retry,
        name="incident_retry",
    ),
    path(
        "w/<slug:slug>/incidents/<int:incident_id>/acknowledge/",
        incidents.incident_acknowledge,
        name="incident_acknowledge",
    ),
    path("w/<slug:slug>/retention/", retention.retention_policy, name="retention_policy"),
    path("w/<slug:slug>/retention/prune/", retention.retention_prune, name="retention_prune"),
]
