"""The addresses of freshness, schedules, backup sets and exports."""

from django.urls import path

from backups.views import changes, freshness, policies, schedule_forms, schedules, sets

urlpatterns = [
    path("w/<slug:slug>/freshness/", freshness.freshness_list, name="freshness_list"),
    path("w/<slug:slug>/freshness/export.csv", freshness.freshness_export, name="freshness_export"),
    path(
        "w/<slug:slug>/freshness/objective/",
        freshness.workspace_objective,
        name="workspace_objective",
    ),
    path(
        "w/<slug:slug>/tenants/<int:tenant_id>/objective/",
        freshness.tenant_objective,
        name="tenant_objective",
    ),
    path("w/<slug:slug>/schedules/", schedules.schedule_list, name="schedule_list"),
    path("w/<slug:slug>/schedules/new/", schedule_forms.schedule_create, name="schedule_create"),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/edit/",
        schedule_forms.schedule_edit,
        name="schedule_edit",
    ),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/",
        schedules.schedule_detail,
        name="schedule_detail",
    ),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/run/",
        schedules.schedule_run_now,
        name="schedule_run_now",
    ),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/pause/",
        schedules.schedule_pause,
        name="schedule_pause",
    ),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/resume/",
        schedules.schedule_resume,
        name="schedule_resume",
    ),
    path(
        "w/<slug:slug>/schedules/<int:schedule_id>/delete/",
        schedules.schedule_delete,
        name="schedule_delete",
    ),
    path(
        "w/<slug:slug>/inventory/policies/back-up/",
        policies.policies_back_up,
        name="policies_back_up",
    ),
    path(
        "w/<slug:slug>/inventory/policies/export/", policies.policies_export, name="policies_export"
    ),
    path("w/<slug:slug>/exports/", policies.export_list, name="export_list"),
    path(
        "w/<slug:slug>/exports/<int:export_id>/", policies.export_download, name="export_download"
    ),
    path("w/<slug:slug>/changes/", changes.change_list, name="change_list"),
    path("w/<slug:slug>/changes/export.csv", changes.change_export, name="change_export"),
    path("w/<slug:slug>/backup-sets/", sets.backup_set_list, name="backup_set_list"),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/", sets.backup_set_detail, name="backup_set_detail"
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/delete/",
        sets.backup_set_delete,
        name="backup_set_delete",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/download/",
        sets.backup_set_download,
        name="backup_set_download",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/items/<int:item_id>/download/",
        sets.backup_item_download,
        name="backup_item_download",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/changes/",
        sets.backup_set_changes,
        name="backup_set_changes",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/items/<int:item_id>/changes/",
        sets.backup_item_changes,
        name="backup_item_changes",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/items/<int:item_id>/reveal/",
        sets.backup_item_reveal,
        name="backup_item_reveal",
    ),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/items/<int:item_id>/",
        sets.backup_item_detail,
        name="backup_item_detail",
    ),
]
