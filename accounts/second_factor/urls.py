"""The addresses of second factors: at sign-in, and on the account page."""

from django.urls import path

from accounts.second_factor import views

_ACCOUNT = "account/second-factor"

urlpatterns = [
    # The name by which allauth redirects to it.
    path("sign-in/second-factor/", views.second_factor, name="mfa_authenticate"),
    path("sign-in/passkey/", views.passkey_sign_in, name="passkey_sign_in"),
    path(f"{_ACCOUNT}/", views.second_factor_required, name="second_factor_required"),
    path(f"{_ACCOUNT}/app/", views.app_add, name="app_add"),
    path(f"{_ACCOUNT}/passkey/", views.passkey_add, name="passkey_add"),
    path(f"{_ACCOUNT}/remove/", views.factor_remove, name="factor_remove"),
    path(f"{_ACCOUNT}/recovery-codes/", views.recovery_codes_create, name="recovery_codes_create"),
]
