"""The forms of second factors."""

from __future__ import annotations

from django import forms

#: Longer than any code, with the hyphens and spaces that users enter.
_MAX_CODE = 60


class CodeForm(forms.Form):
    """A code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=_MAX_CODE,
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "spellcheck": "false",
                "autocapitalize": "none",
                "data-secret": "",
            }
        ),
    )


class AppForm(CodeForm):
    """The code that a new authenticator app shows."""

    code = forms.CharField(
        label="Code that the app shows",
        max_length=_MAX_CODE,
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "spellcheck": "false",
                "data-secret": "",
            }
        ),
    )


class PasskeyForm(forms.Form):
    """The name of a new passkey."""

    name = forms.CharField(
        label="Name",
        max_length=60,
        help_text="Such as the device that stores it.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
