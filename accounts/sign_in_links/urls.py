"""The address of a sign-in link."""

from django.urls import path

from accounts.sign_in_links import views

urlpatterns = [
    path("sign-in/link/<str:token>/", views.sign_in_link, name="sign_in_link"),
]
