"""Requests without a session: where the sign-in page leads back to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

HOST = "http://testserver"


def next_of(location: str) -> str:
    assert location.startswith("/sign-in/?")
    return parse_qs(urlsplit(location).query)["next"][0]


def test_a_page_leads_back_to_itself(client: Client) -> None:
    assert next_of(client.get("/runs/?view=active")["Location"]) == "/runs/?view=active"


@pytest.mark.parametrize(
    ("current", "path"),
    [
        (f"{HOST}/w/contoso/?a=1", "/w/contoso/?a=1"),
        (f"{HOST}/w/contoso/#part", "/w/contoso/"),
        ("", "/"),
        ("https://evil.example/w/contoso/", "/"),
        ("http://[", "/"),
        ("javascript:alert(1)", "/"),
        (f"{HOST}", "/"),
        (f"{HOST}//evil.example/", "/"),
    ],
)
def test_a_live_section_sends_the_page_to_sign_in(client: Client, current: str, path: str) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": current}

    response = client.get("/w/contoso/?part=panels", headers=headers)

    assert response.status_code == 200
    assert response.content == b""
    assert next_of(response["HX-Redirect"]) == path


@pytest.mark.parametrize(
    ("referrer", "path"),
    [
        (f"{HOST}/w/contoso/members/?page=2", "/w/contoso/members/?page=2"),
        ("", "/w/contoso/members/7/role/"),
        ("https://evil.example/", "/w/contoso/members/7/role/"),
    ],
)
def test_a_posted_form_leads_back_to_its_page(client: Client, referrer: str, path: str) -> None:
    headers = {"Referer": referrer} if referrer else {}

    response = client.post("/w/contoso/members/7/role/", {"role": "owner"}, headers=headers)

    assert response.status_code == 302
    assert next_of(response["Location"]) == path
