"""The form of the sign-in page."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from tenancy.models import User

MAX_USERNAME = User._meta.get_field("username").max_length or 150  # noqa: SLF001 - Django's own API


class SignInForm(AuthenticationForm):
    """Django's, but a name that no account can have is not even tried.

    Django gives the limit to the browser only; the log of attempts has a column that is shorter.
    """

    def clean_username(self) -> str:
        name = str(self.cleaned_data["username"])
        if len(name) > MAX_USERNAME:
            raise ValidationError("No account has a name that long.")
        return name
