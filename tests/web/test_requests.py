"""No header of a request is answered with an error of the server; responses restrict browsers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client

from config.handler import Handler
from tenancy.models import User
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
#: Codecs that are unknown, are not for text, or are not what the pages send.
CHARSETS = ["no-such-charset", "base64", "hex", "rot13", "idna", "undefined", "utf-16", "é", "\x00"]
#: Values whose parsing fails in Django's constructor of the request.
UNPARSABLE = [f"{FORM}; charset*=foo''utf-8", f"{FORM}; x*=\xff''y", "a; charset=\x00"]
HEADERS = [
    *("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING"),
    *("HTTP_ACCEPT_LANGUAGE", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_HX_CURRENT_URL"),
    *("HTTP_HX_REQUEST", "HTTP_HX_TARGET", "HTTP_HX_TRIGGER", "HTTP_IF_MODIFIED_SINCE"),
    *("HTTP_IF_NONE_MATCH", "HTTP_ORIGIN", "HTTP_RANGE", "HTTP_REFERER", "HTTP_TRIGGERING_EVENT"),
    *("HTTP_USER_AGENT", "HTTP_X_CSRFTOKEN", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"),
    *("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_HOST", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR"),
]
VALUES = [
    *("", " ", "\xff\xfe", "\x00", "[", '"', "a;;;=", "-1", "9" * 30, "x" * 9000, "true"),
    *("http://[", "http://[::1", "http://localhost:x/", "//", "bytes=-", "bytes=9999999999-1"),
    *("Thu, 99 Foo 99999 99:99:99 GMT", "sessionid=\xff; csrftoken=\xff", "a=b; =c", "%ff%00"),
    *UNPARSABLE,
]
PAGES = [
    ("GET", "/sign-in/"),
    ("POST", "/sign-in/"),
    ("POST", "/theme/"),
    ("GET", "/w/contoso/runs/"),
    ("GET", "/static/runledger.js"),
    ("GET", "/livez"),
]


@pytest.fixture(autouse=True)
def _keep_the_connection() -> Iterator[None]:
    """Requests do not close the connection, which holds the transaction of the test."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def answer(method: str, path: str, session: str = "", **headers: str) -> tuple[int, bytes]:
    """Return the status and the body that the WSGI handler of the web process answers."""
    body = b"username=olga&password=wrong&next=%2F"
    statuses: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "view=attention",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": f"sessionid={session}",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    start: Any = lambda status, *_: statuses.append(status)  # noqa: E731
    response: Any = Handler()(environ | headers, start)
    content = b"".join(response)
    response.close()
    return int(statuses[0][:3]), content


@pytest.mark.parametrize("charset", CHARSETS, ids=ascii)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain"])
def test_a_charset_other_than_utf_8_is_a_bad_request(kind: str, charset: str) -> None:
    for method, path in PAGES:
        status, body = answer(method, path, CONTENT_TYPE=f"{kind}; charset={charset}")
        assert status == 400, (method, path)
        assert b"Bad request" in body


@pytest.mark.parametrize("content_type", UNPARSABLE, ids=ascii)
def test_a_content_type_that_cannot_be_parsed_is_a_bad_request(content_type: str) -> None:
    status, body = answer("POST", "/theme/", CONTENT_TYPE=content_type)

    assert status == 400
    assert b"Bad request" in body


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", '"utf-8"'])
def test_utf_8_is_accepted_under_each_of_its_names(charset: str) -> None:
    assert answer("POST", "/theme/", CONTENT_TYPE=f"{FORM}; charset={charset}")[0] != 400


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_causes_an_error_of_the_server(
    client: Client, operator: User, header: str
) -> None:
    session = open_session(client, operator).cookies["sessionid"].value

    for method, path in PAGES:
        for value in VALUES:
            status, body = answer(method, path, session, **{header: value})
            assert status < 500, (method, path, value[:40])
            assert b"Traceback" not in body


@pytest.mark.parametrize("path", ["/sign-in/", "/w/contoso/runs/", "/static/runledger.js", "/x/"])
def test_every_response_turns_off_what_pages_do_not_use(client: Client, path: str) -> None:
    response = client.get(path)
    response.close()

    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response
    policy = response["Permissions-Policy"].split(", ")
    assert {"camera=()", "geolocation=()", "clipboard-write=(self)"} <= {*policy}
