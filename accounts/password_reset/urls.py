"""The addresses of a password reset."""

from django.urls import path

from accounts.password_reset import views

urlpatterns = [
    path("sign-in/reset/", views.password_reset, name="password_reset"),
    path(
        "sign-in/reset/<str:uidb64>/<str:token>/",
        views.password_reset_confirm,
        name="password_reset_confirm",
    ),
]
