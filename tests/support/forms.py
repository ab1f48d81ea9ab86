"""Test clients send forms as browsers do: URL-encoded.

Django's test client sends multipart forms unless a test says otherwise, which the product refuses.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.test import Client, RequestFactory

FORM = "application/x-www-form-urlencoded"
_factory: Any = RequestFactory
_encode_data = _factory._encode_data


def encode_form(factory: RequestFactory, data: Any, content_type: str) -> bytes:
    """Encode the fields of a form; one with several values is sent several times."""
    if content_type != FORM or not isinstance(data, dict):
        encoded: bytes = _encode_data(factory, data, content_type)
        return encoded
    missing = [name for name, value in data.items() if value is None]
    assert not missing, f"A form cannot send None: {missing}"
    return urlencode(data, doseq=True).encode()


def send_forms_url_encoded() -> None:
    """Change the default of every test client."""
    _factory._encode_data = encode_form
    RequestFactory.post.__defaults__ = (None, FORM, False)
    Client.post.__defaults__ = (None, FORM, False, False)


send_forms_url_encoded()
