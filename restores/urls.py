"""The addresses of restores."""

from django.urls import path

from restores import views

HERE = "w/<slug:slug>/restores/"
ONE = f"{HERE}<int:restore_id>/"

urlpatterns = [
    path(HERE, views.restore_list, name="restore_list"),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/restore/",
        views.restore_create,
        name="restore_create",
    ),
    path(ONE, views.restore_detail, name="restore_detail"),
    path(f"{ONE}items/<int:restore_item_id>/", views.restore_item, name="restore_item"),
    path(f"{ONE}choose/", views.restore_choose, name="restore_choose"),
    path(f"{ONE}approve/", views.restore_approve, name="restore_approve"),
    path(f"{ONE}execute/", views.restore_execute, name="restore_execute"),
    path(f"{ONE}abandon/", views.restore_abandon, name="restore_abandon"),
    path(f"{ONE}retry/", views.restore_retry, name="restore_retry"),
]
