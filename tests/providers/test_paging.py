"""Reading a list page by page: from one host, to its end, and not forever."""

from __future__ import annotations

import pytest

from providers.graph.errors import (
    Conflict,
    CredentialRejected,
    GraphError,
    IncompleteListing,
    InvalidRequest,
    ObjectNotFound,
    PermissionMissing,
    Transient,
)
from providers.graph.paging import MAX_STARTS, pages, same_origin

BASE = "https://graph.microsoft.com"


def read(*responses, **options):
    """Return the objects and the requested URLs; a response can be an error."""
    urls: list[str] = []
    remaining = iter(responses)

    def fetch(url):
        urls.append(url)
        response = next(remaining)
        if isinstance(response, Exception):
            raise response
        return response

    objects = pages(fetch, f"{BASE}/v1.0/groups", base=BASE, noun="groups", **options)
    return list(objects), urls


def page(*ids, link=None):
    body = {"value": [{"id": object_id} for object_id in ids]}
    return body if link is None else {**body, "@odata.nextLink": link}


def test_links_are_followed_unchanged():
    link = f"{BASE}/v1.0/groups?$skiptoken=RFNwdAIAAQ%2B%20=&$top=2"

    objects, urls = read(page("a", "b", link=link), page("c"))

    assert [entry["id"] for entry in objects] == ["a", "b", "c"]
    assert urls[1] == link


def test_an_empty_page_with_a_link_is_not_the_end():
    objects, _ = read(page(link=f"{BASE}/2"), page(link=f"{BASE}/3"), page("a"))

    assert len(objects) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/v1.0/groups?$skiptoken=1",
        "https://graph.microsoft.com:443/v1.0/groups",
        "HTTPS://GRAPH.MICROSOFT.COM/v1.0/groups",
    ],
)
def test_links_to_the_same_host_are_accepted(link):
    assert same_origin(link, BASE)


@pytest.mark.parametrize(
    "link",
    [
        "http://graph.microsoft.com/v1.0/groups",
        "https://graph.microsoft.com:8443/v1.0/groups",
        "https://graph.microsoft.com.evil.example/v1.0/groups",
        "https://evil.example/graph.microsoft.com",
        "https://graph.microsoft.com@evil.example/",
        "https://evil.example\\@graph.microsoft.com/",
        "https://user:password@graph.microsoft.com/",
        "https://graph.microsoft.us/v1.0/groups",
        "https://dod-graph.microsoft.com/",
        "//graph.microsoft.com/v1.0/groups",
        "/v1.0/groups?$skiptoken=1",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://graph.microsoft.com:port/",
        "https://graph.microsoft.com\x00.evil.example/",
        "https://",
        "",
    ],
)
def test_links_to_other_hosts_are_rejected(link):
    assert not same_origin(link, BASE)


@pytest.mark.parametrize("link", ["http://169.254.169.254/", 7, ["x"], {"href": "x"}, True])
def test_a_foreign_link_ends_the_list_as_incomplete(link):
    with pytest.raises(IncompleteListing) as caught:
        read(page("a", link=link))

    assert caught.value.code == "foreign_link"


def test_the_next_page_is_requested_before_the_objects_of_the_last_one_are_used():
    order: list[str] = []
    bodies = [page("a", "b", link=f"{BASE}/2"), page("c", link="https://evil.example/")]
    links = iter(bodies)
    objects = pages(
        lambda url: next(links),
        f"{BASE}/v1.0/groups",
        base=BASE,
        noun="groups",
        read_ahead=order.append,
    )

    with pytest.raises(IncompleteListing):
        order.extend(entry["id"] for entry in objects)

    assert order == [f"{BASE}/2", "a", "b", "c"]


def test_a_loop_ends_the_list_as_incomplete():
    with pytest.raises(IncompleteListing) as caught:
        read(page("a", link=f"{BASE}/2"), page("b", link=f"{BASE}/3"), page("c", link=f"{BASE}/2"))

    assert caught.value.code == "listing_loops"


def test_a_list_that_is_too_long_ends_as_incomplete():
    endless = [page("a", link=f"{BASE}/{number}") for number in range(10)]

    with pytest.raises(IncompleteListing) as caught:
        read(*endless, max_pages=5)

    assert caught.value.code == "listing_too_long"


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": {}}, {"value": ["x"]}, {"id": 1}])
def test_a_malformed_page_is_an_incomplete_list(body):
    with pytest.raises(IncompleteListing, match="without a list of objects"):
        read(body)


EXPIRED = ObjectNotFound("resync_required")


def test_a_list_whose_link_has_expired_is_read_again_from_its_first_page():
    restarts: list[int] = []
    objects, urls = read(
        *(page("a", "b", link=f"{BASE}/2"), page("c", link=f"{BASE}/3"), EXPIRED),
        *(page("new", "b", link=f"{BASE}/2"), page("c", link=f"{BASE}/3"), page("d")),
        before_restart=lambda: restarts.append(1),
    )

    assert [entry["id"] for entry in objects] == ["a", "b", "c", "new", "d"]
    assert urls[3:] == urls[:3]
    assert restarts == [1]


def test_objects_without_an_id_are_yielded_once_each():
    first = {"value": [{"x": 1}, {"x": 2}], "@odata.nextLink": f"{BASE}/2"}

    objects, _ = read(first, EXPIRED, first, {"value": [{"x": 3}]})

    assert objects == [{"x": 1}, {"x": 2}, {"x": 3}]


def test_a_list_whose_links_always_expire_ends_as_incomplete():
    responses = [page("a", link=f"{BASE}/2"), EXPIRED] * (MAX_STARTS + 1)

    with pytest.raises(IncompleteListing) as caught:
        read(*responses)

    assert caught.value.code == "listing_expired"
    assert "groups before its last page 4 times" in caught.value.message


def test_a_first_page_that_is_refused_does_not_start_again():
    with pytest.raises(ObjectNotFound) as caught:
        read(EXPIRED)

    assert caught.value is EXPIRED


@pytest.mark.parametrize("error", [Transient(), InvalidRequest()])
def test_an_error_after_the_first_page_is_an_incomplete_list(error):
    with pytest.raises(IncompleteListing) as caught:
        read(page("a", "b", link=f"{BASE}/2"), error)

    assert caught.value.params["count"] == 2
    assert caught.value.message == f"The list of groups ended early, after 2 objects: {error}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [Transient(), PermissionMissing(), CredentialRejected(), Conflict()]
)
def test_an_error_on_the_first_page_keeps_its_reason(error):
    with pytest.raises(GraphError) as caught:
        read(error)

    assert caught.value is error


@pytest.mark.parametrize("error", [PermissionMissing(), CredentialRejected()])
def test_an_error_that_affects_the_whole_run_keeps_its_reason(error):
    with pytest.raises(GraphError) as caught:
        read(page("a", link=f"{BASE}/2"), error)

    assert caught.value is error
