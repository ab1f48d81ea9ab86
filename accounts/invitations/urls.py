"""The addresses of invitations: those of owners, and those of the invited user."""

from django.urls import path

from accounts.invitations import views

_INVITATIONS = "w/<slug:slug>/invitations"

urlpatterns = [
    path(f"{_INVITATIONS}/new/", views.invitation_create, name="invitation_create"),
    path(
        f"{_INVITATIONS}/<int:invitation_id>/resend/",
        views.invitation_resend,
        name="invitation_resend",
    ),
    path(
        f"{_INVITATIONS}/<int:invitation_id>/revoke/",
        views.invitation_revoke,
        name="invitation_revoke",
    ),
    path("invitations/<str:token>/", views.invitation_open, name="invitation_open"),
    path("invitation/", views.invitation_accept, name="invitation_accept"),
]
