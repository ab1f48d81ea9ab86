"""The URLs of connections."""

from django.urls import path

from providers import views

_CONNECTIONS = "w/<slug:slug>/connections"
_ONE = f"{_CONNECTIONS}/<int:connection_id>"

urlpatterns = [
    path(f"{_CONNECTIONS}/", views.connection_list, name="connection_list"),
    path(f"{_CONNECTIONS}/new/", views.connection_create, name="connection_create"),
    path(f"{_ONE}/", views.connection_detail, name="connection_detail"),
    path(f"{_ONE}/edit/", views.connection_edit, name="connection_edit"),
    path(f"{_ONE}/credential/", views.connection_credential, name="connection_credential"),
    path(f"{_ONE}/default/", views.connection_default, name="connection_default"),
    path(f"{_ONE}/remove/", views.connection_remove, name="connection_remove"),
    path(f"{_ONE}/check/", views.connection_check, name="connection_check"),
    path(
        "w/<slug:slug>/tenants/<int:tenant_id>/check/",
        views.connection_check_tenant,
        name="connection_check_tenant",
    ),
]
