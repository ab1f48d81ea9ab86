"""The addresses of sign-in and of the account."""

from django.urls import path

from accounts.views import account, session

urlpatterns = [
    path("sign-in/", session.sign_in, name="sign_in"),
    # The name by which allauth redirects to it.
    path("sign-in/", session.sign_in, name="account_login"),
    path("sign-out/", session.sign_out, name="sign_out"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password_change, name="password_change"),
    path("account/sessions/end/", account.session_end, name="session_end"),
    path("account/sessions/end-all/", account.sign_out_everywhere, name="sign_out_everywhere"),
]
