"""The addresses of access tokens: those of a user, and those of the owners of a workspace."""

from django.urls import path

from accounts.access_tokens import views

_TOKENS = "w/<slug:slug>/tokens"

urlpatterns = [
    path("account/tokens/", views.access_token_list, name="access_token_list"),
    path("account/tokens/new/", views.access_token_create, name="access_token_create"),
    path("account/tokens/revoke/", views.access_token_revoke, name="access_token_revoke"),
    path(f"{_TOKENS}/", views.workspace_token_list, name="workspace_token_list"),
    path(f"{_TOKENS}/new/", views.service_token_create, name="service_token_create"),
    path(
        f"{_TOKENS}/<int:token_id>/revoke/",
        views.workspace_token_revoke,
        name="workspace_token_revoke",
    ),
]
