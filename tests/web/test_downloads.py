"""How many downloads a process sends at the same time, and when each of them frees its slot."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import Client

from config import middleware
from config.middleware import DownloadCapacityMiddleware
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories.backups import PolicyExportFactory
from tests.support.sessions import open_session
from tests.support.tokens import open_api
from web.compression import CompressionMiddleware
from web.downloads import DownloadSlots

RUNS_CSV = "/w/contoso/runs/export.csv"


def download() -> StreamingHttpResponse:
    return StreamingHttpResponse(line for line in ("a\n", "b\n"))


def close(response: HttpResponseBase) -> None:
    """Close a response as a server does, but not the connection, which has the test's transaction."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> DownloadSlots:
    """The slots of this process, of which there are two."""
    slots = DownloadSlots()
    slots.limit(2)
    monkeypatch.setattr(middleware, "download_slots", slots)
    return slots


@pytest.fixture
def running(slots: DownloadSlots) -> Iterator[list[StreamingHttpResponse]]:
    """Occupy every slot."""
    responses = [download(), download()]
    assert all(map(slots.occupy, responses))
    yield responses
    for response in responses:
        close(response)


def is_free(slots: DownloadSlots) -> bool:
    """Whether exactly one slot is free."""
    first, second = download(), download()
    occupied = [slots.occupy(first), slots.occupy(second)]
    close(first)
    close(second)
    return occupied == [True, False]


def test_a_closed_download_that_was_never_started_frees_its_slot_once(
    slots: DownloadSlots, running: list[StreamingHttpResponse]
) -> None:
    assert not slots.occupy(download())

    close(running[0])
    close(running[0])

    assert is_free(slots)


def test_a_download_that_was_read_in_part_frees_its_slot(
    slots: DownloadSlots, running: list[StreamingHttpResponse]
) -> None:
    assert next(iter(running[0])) == b"a\n"
    assert not slots.occupy(download())

    close(running[0])

    assert is_free(slots)


def test_a_download_that_an_error_replaced_frees_its_slot(
    slots: DownloadSlots, running: list[StreamingHttpResponse]
) -> None:
    del running[0]
    gc.collect()

    assert is_free(slots)


def test_a_download_whose_content_fails_frees_its_slot(slots: DownloadSlots) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a\n"
        raise OSError

    other, response = download(), StreamingHttpResponse(broken())
    assert slots.occupy(other)
    assert slots.occupy(response)

    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        list(response)
    close(response)

    assert is_free(slots)


def test_a_compressed_download_keeps_its_slot_until_it_is_closed(slots: DownloadSlots) -> None:
    request = HttpRequest()
    request.META |= {"HTTP_ACCEPT_ENCODING": "gzip", "HTTP_SEC_FETCH_SITE": "same-origin"}
    other = download()
    assert slots.occupy(other)
    get_response: Any = DownloadCapacityMiddleware(lambda _: download())  # type: ignore[arg-type,return-value]
    response: Any = CompressionMiddleware(get_response)(request)
    assert response["Content-Encoding"] == "gzip"

    assert not slots.occupy(download())
    close(response)

    assert is_free(slots)


def test_threads_never_occupy_more_than_all_slots_and_lose_none(slots: DownloadSlots) -> None:
    most, running, lock = 0, 0, threading.Lock()

    def send(_: int) -> bool:
        nonlocal most, running
        response = download()
        if not slots.occupy(response):
            return False
        with lock:
            running += 1
            most = max(most, running)
        list(response)
        with lock:
            running -= 1
        response.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert True in list(threads.map(send, range(400)))

    assert most <= 2
    kept = download()
    assert slots.occupy(kept)
    assert is_free(slots)


def test_without_a_limit_every_download_is_sent() -> None:
    assert all(map(DownloadSlots().occupy, [download() for _ in range(50)]))


@pytest.mark.django_db
def test_one_download_too_many_gets_a_page_that_says_what_to_do(
    client: Client, operator: User, running: list[StreamingHttpResponse]
) -> None:
    open_session(client, operator)

    refused: HttpResponse = client.get(RUNS_CSV)  # type: ignore[assignment]
    page = client.get("/w/contoso/runs/")
    close(running[0])
    sent: Any = client.get(RUNS_CSV)

    assert (refused.status_code, refused["Retry-After"]) == (503, "60")
    assert "Other downloads are running. Try again in a minute." in refused.content.decode()
    assert "no-store" in refused["Cache-Control"]
    assert page.status_code == 200
    assert sent.status_code == 200
    assert sent.getvalue().startswith(b"id,type")


@pytest.mark.django_db
def test_the_api_answers_with_a_problem(
    operator: User, workspace: Workspace, tenant: Tenant, running: list[StreamingHttpResponse]
) -> None:
    api = open_api(operator, workspace, Role.OPERATOR)
    export = PolicyExportFactory(tenant=tenant)

    refused = api.get(f"/api/v1/exports/{export.pk}/download")
    close(running[0])
    sent: Any = api.get(f"/api/v1/exports/{export.pk}/download")

    assert (refused.status_code, refused["Retry-After"]) == (503, "60")
    assert refused["Content-Type"] == "application/problem+json"
    assert int(refused["RateLimit-Remaining"]) == int(sent["RateLimit-Remaining"]) + 1
    problem = refused.json()
    assert (problem["code"], problem["detail"]) == (
        "too_many_downloads",
        "Other downloads are running. Try again in a minute.",
    )
    assert sent.getvalue() == b"PK"
