"""The addresses of the roles of groups."""

from django.urls import path

from accounts.group_roles import views

_GROUPS = "w/<slug:slug>/members/groups"

urlpatterns = [
    path(f"{_GROUPS}/", views.group_role_list, name="group_role_list"),
    path(
        f"{_GROUPS}/<int:group_role_id>/remove/", views.group_role_remove, name="group_role_remove"
    ),
]
