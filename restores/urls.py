"""The addresses of restores."""

from django.urls import path

from restores.views.actions import (
    restore_approve,
    restore_decide,
    restore_discard,
    restore_execute,
    restore_missing,
    restore_retry,
)
from restores.views.approvals import approval_list
from restores.views.detail import restore_detail, restore_item
from restores.views.list import restore_list
from restores.views.select import restore_create

LIST = "w/<slug:slug>/restores/"
DETAIL = f"{LIST}<int:restore_id>/"

urlpatterns = [
    path("approvals/", approval_list, name="approval_list"),
    path(LIST, restore_list, name="restore_list"),
    path(
        "w/<slug:slug>/backup-sets/<int:set_id>/restore/",
        restore_create,
        name="restore_create",
    ),
    path(DETAIL, restore_detail, name="restore_detail"),
    path(f"{DETAIL}items/<int:restore_item_id>/", restore_item, name="restore_item"),
    path(f"{DETAIL}decide/", restore_decide, name="restore_decide"),
    path(f"{DETAIL}approve/", restore_approve, name="restore_approve"),
    path(f"{DETAIL}execute/", restore_execute, name="restore_execute"),
    path(f"{DETAIL}discard/", restore_discard, name="restore_discard"),
    path(f"{DETAIL}missing/", restore_missing, name="restore_missing"),
    path(f"{DETAIL}retry/", restore_retry, name="restore_retry"),
]
