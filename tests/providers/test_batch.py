"""The response of a batch is matched with its requests; what does not fit is not trusted."""

from __future__ import annotations

import json

import pytest

from providers.graph import batch
from providers.graph.http import UnreadableResponse

BASE = "https://graph.example.com"


def part(key: object, **values: object) -> dict[str, object]:
    return {"id": key, "status": 200, "headers": {}, "body": {"name": key}, **values}


def test_a_batch_reads_paths_of_one_version_with_separate_ids():
    urls = [f"{BASE}/beta/deviceManagement/a?$expand=b", f"{BASE}/beta/groups"]

    requests = json.loads(batch.build(urls, BASE, {"Accept": "x"}))["requests"]

    assert [each["url"] for each in requests] == ["/deviceManagement/a?$expand=b", "/groups"]
    assert [each["id"] for each in requests] == ["0", "1"]
    assert {each["method"] for each in requests} == {"GET"}
    assert len({each["headers"]["client-request-id"] for each in requests}) == 2
    assert not any("dependsOn" in each for each in requests)


@pytest.mark.parametrize(
    ("path", "version"),
    [("/beta/groups", "/beta"), ("/v1.0/groups", "/v1.0"), ("/betax", ""), ("/v2/groups", "")],
)
def test_the_version_of_a_url(path, version):
    assert batch.version_of(f"{BASE}{path}", BASE) == version


def test_responses_in_any_order_are_matched_by_their_ids():
    responses = batch.parse({"responses": [part("1"), part("0")]}, 2)

    assert [response and response.json()["name"] for response in responses] == ["0", "1"]


@pytest.mark.parametrize(
    "parts",
    [
        [part("1")],
        [part("0"), part("0"), part("1")],
        [part("0", status="200"), part("1")],
        [part("0", status=True), part("1")],
        [part("0", headers=[1]), part("1")],
    ],
    ids=["missing", "repeated", "text as status", "no status", "no headers"],
)
def test_a_request_without_one_readable_response_has_none(parts):
    responses = batch.parse({"responses": parts}, 2)

    assert [response is None for response in responses] == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"responses": {}},
        {"responses": [1]},
        {"responses": [part("0"), part("7")]},
        {"responses": [part("0"), part(None)]},
    ],
)
def test_the_response_of_another_batch_is_unreadable(body):
    with pytest.raises(UnreadableResponse):
        batch.parse(body, 1)


@pytest.mark.parametrize("body", ["PCFET0NUWVBFIGh0bWw+", [1], 7])
def test_a_body_that_is_not_an_object_is_unreadable(body):
    (response,) = batch.parse({"responses": [part("0", body=body)]}, 1)

    assert response
    with pytest.raises(UnreadableResponse):
        response.json()


def test_names_of_headers_are_lower_case_and_the_date_is_that_of_the_batch():
    parts = [part("0", headers={"Retry-After": 7}), part("1", headers={"Date": "then"})]

    first, second = batch.parse({"responses": parts}, 2, "now")

    assert first
    assert first.headers == {"retry-after": "7", "date": "now"}
    assert second
    assert second.headers["date"] == "then"
