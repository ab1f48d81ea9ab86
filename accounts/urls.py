"""The addresses of sign-in and of the account."""

from django.urls import path

from accounts.identity_providers import ENTRA, OIDC
from accounts.views import account, identities, session

urlpatterns = [
    path("sign-in/", session.sign_in, name="sign_in"),
    # The name by which allauth redirects to it.
    path("sign-in/", session.sign_in, name="account_login"),
    path("sign-out/", session.sign_out, name="sign_out"),
    path("sign-in/start/", identities.identity_start, name="identity_start"),
    path("sign-in/entra/", identities.callback, {"provider_id": ENTRA}, name="entra_callback"),
    path("sign-in/oidc/", identities.callback, {"provider_id": OIDC}, name="oidc_callback"),
    path("account/", account.account, name="account"),
    path("account/shortcuts/", account.account_shortcuts, name="account_shortcuts"),
    path("account/time-zone/", account.account_time_zone, name="account_time_zone"),
    path("account/password/", account.password_change, name="password_change"),
    path("account/identities/confirm/", identities.identity_confirm, name="identity_confirm"),
    path(
        "account/identities/disconnect/",
        identities.identity_disconnect,
        name="identity_disconnect",
    ),
    path("account/sessions/end/", account.session_end, name="session_end"),
    path("account/sessions/end-all/", account.sign_out_everywhere, name="sign_out_everywhere"),
]
