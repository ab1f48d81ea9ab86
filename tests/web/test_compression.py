"""Pages and exports are compressed, but not what another site could cause to learn their length."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory
from tests.support.sessions import open_session
from web.compression import CompressionMiddleware

pytestmark = pytest.mark.django_db

LIST, EXPORT = "/w/contoso/runs/", "/w/contoso/runs/export.csv"
OWN = {"Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def page(client: Client, operator: User, tenant: Tenant) -> Client:
    OperationRunFactory.create_batch(3, tenant=tenant)
    return open_session(client, operator)


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_is_compressed(page: Client, site: str) -> None:
    response = page.get(LIST, headers=OWN | {"Sec-Fetch-Site": site})

    text = gzip.decompress(response.content).decode()
    assert response["Content-Encoding"] == "gzip"
    assert "Fabrikam" in text
    assert len(response.content) < len(text) / 3


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", None])
def test_what_another_site_can_cause_is_not_compressed(page: Client, site: str | None) -> None:
    headers = {"Accept-Encoding": "gzip"} | ({} if site is None else {"Sec-Fetch-Site": site})

    response = page.get(f"{LIST}?q=guess", headers=headers)

    assert "Content-Encoding" not in response
    assert {"Sec-Fetch-Site", "Cookie"} <= set(response["Vary"].split(", "))


def test_a_client_that_does_not_accept_it_gets_no_compressed_page(page: Client) -> None:
    response = page.get(LIST, headers={"Sec-Fetch-Site": "same-origin"})

    assert "Content-Encoding" not in response


def test_the_length_of_a_page_is_not_exact(page: Client) -> None:
    lengths = {len(page.get("/account/", headers=OWN).content) for _ in range(8)}

    assert len(lengths) > 1


def test_an_export_is_compressed(page: Client) -> None:
    response: Any = page.get(EXPORT, headers=OWN)

    assert gzip.decompress(b"".join(response.streaming_content)).startswith(b"id,")
    assert "Content-Length" not in response


def test_a_stream_is_sent_as_it_is_read() -> None:
    read: list[int] = []

    def batches() -> Iterator[bytes]:
        for number in range(100):
            read.append(number)
            yield b"".join(b"%d,%d\n" % (number, row * 7919 % 6101) for row in range(5000))

    request = RequestFactory().get("/", headers=OWN)
    response: Any = CompressionMiddleware(lambda _: StreamingHttpResponse(batches()))(request)
    unpack, size = zlib.decompressobj(31), 0
    for chunk in response:
        size += len(unpack.decompress(chunk))
        if size:
            break

    assert 0 < len(read) < 10
    response.close()


@pytest.mark.parametrize("kind", ["application/zip", "application/gzip"])
def test_an_archive_is_not_compressed_again(kind: str) -> None:
    archive = HttpResponse(b"PK" * 1000, content_type=kind)

    response: Any = CompressionMiddleware(lambda _: archive)(RequestFactory().get("/", headers=OWN))

    assert "Content-Encoding" not in response
