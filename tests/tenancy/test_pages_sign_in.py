"""Sign-in, sign-out, the error pages, and the security headers."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse

from operations.views import listing
from tests.support.factories import (
    PASSWORD,
    MembershipFactory,
    OperationRunFactory,
    UserFactory,
    WorkspaceFactory,
)
from tests.support.routes import OPEN

SIGN_IN = "/sign-in/"


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str):
    return client.post(SIGN_IN, {"username": username, "password": password, **more})


def test_sign_in_leads_to_the_first_workspace(client, operator):
    answer = client.post(SIGN_IN, {"username": "olga", "password": PASSWORD}, follow=True)

    assert answer.redirect_chain[-1] == ("/w/contoso/", 302)
    assert b"Contoso Services" in answer.content


def test_a_wrong_password_does_not_reveal_whether_the_user_exists(client, operator):
    wrong = sign_in(client, "olga", "nonsense").content
    unknown = sign_in(client, "unknown", "nonsense").content

    assert b"is incorrect" in wrong
    assert b"is incorrect" in unknown


def test_the_sixth_attempt_is_locked_out(client, operator):
    for _ in range(5):
        answer = sign_in(client, "olga", "nonsense")

    assert answer.status_code == 429
    assert b"Too many sign-in attempts" in answer.content
    assert sign_in(client, "olga").status_code == 429


@pytest.mark.parametrize(
    "name", ["\0", "x" * 5000, "\ud800".encode("utf-8", "replace"), "' OR 1=1"]
)
def test_any_user_name_can_be_submitted(client, db, name):
    assert sign_in(client, name, "x").status_code == 200


@pytest.mark.parametrize(
    "query", ["next=%00", "x=%00", "next=" + "x" * 5000, "%ff=%ff", "x=%F0%9F%92%A5"]
)
def test_a_failed_sign_in_with_an_unusual_query_string_is_only_a_failed_sign_in(client, db, query):
    answer = client.post(
        f"{SIGN_IN}?{query}",
        {"username": "olga", "password": "x\0"},
        headers={"User-Agent": "x" * 5000, "Accept": "y" * 5000},
    )
    again = client.post(f"{SIGN_IN}?{query}", {"username": "olga", "password": "x"})

    assert (answer.status_code, again.status_code) == (200, 200)


def test_sign_out_ends_the_session_and_confirms_it(client, operator):
    client.force_login(operator)

    answer = client.post("/sign-out/", follow=True)

    assert b"You are signed out" in answer.content
    assert client.get("/runs/").status_code == 302


def test_sign_out_requires_a_post(client, operator):
    client.force_login(operator)

    assert client.get("/sign-out/").status_code == 302
    assert client.get("/runs/").status_code == 200


def test_a_deactivated_user_is_signed_out_immediately(client, operator):
    client.force_login(operator)
    operator.is_active = False
    operator.save()

    assert client.get("/runs/")["Location"].startswith(SIGN_IN)


def test_a_user_without_a_workspace_sees_instructions(client, db):
    client.force_login(UserFactory())

    assert b"not a member of any workspace" in client.get("/").content
    assert client.get("/runs/").status_code == 200


ELSEWHERE = [
    "https://evil.com",
    "//evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "javascript:alert(1)",
    "/%09/evil.com\t",
    "/\t/evil.com",
    "/a\r\nSet-Cookie: x=1",
    "http:evil.com",
    "///evil.com",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_redirect_never_leaves_the_site(client, operator, target):
    after_sign_in = sign_in(client, "olga", next=target)["Location"]
    after_theme = client.post("/theme/", {"theme": "dark", "next": target})["Location"]

    assert after_theme == "/"
    assert after_sign_in.startswith("/")
    assert not after_sign_in.startswith(("//", "/\\"))
    assert "\t" not in after_sign_in


def test_the_theme_is_remembered_and_can_follow_the_system_again(client, operator):
    client.force_login(operator)

    dark = client.post("/theme/", {"theme": "dark", "next": "/runs/"})
    page = client.get("/runs/").content
    client.post("/theme/", {"theme": "system", "next": "/runs/"})

    assert dark["Location"] == "/runs/"
    assert b'data-bs-theme="dark"' in page
    assert b'data-theme="system"' in client.get("/runs/").content


@pytest.mark.parametrize("value", ["purple", '"><script>', "\0"])
def test_an_unknown_theme_is_treated_as_the_system_theme(client, operator, value):
    client.force_login(operator)
    client.cookies["theme"] = value

    assert b'data-theme="system"' in client.get("/runs/").content


def test_the_switcher_lists_only_the_workspaces_of_the_user(client, operator, stranger):
    MembershipFactory(user=operator, workspace=WorkspaceFactory(name="Northwind", slug="north"))
    client.force_login(operator)

    content = client.get("/w/contoso/").content

    assert b'href="/w/north/"' in content
    assert b"Elsewhere" not in content


def test_every_other_page_requires_sign_in(client, db):
    names = [
        pattern.name
        for included in get_resolver().url_patterns
        for pattern in getattr(included, "url_patterns", [included])
        if getattr(included, "namespace", None) != "admin" and getattr(pattern, "name", None)
    ]
    for name in set(names) - (OPEN - {"sign_out"}):
        answer = client.post(_any_address(name))
        assert answer.status_code == 302, name
        assert answer["Location"].startswith(SIGN_IN), name


def _any_address(name: str) -> str:
    for arguments in ([], [1], ["x"], ["x", 1], ["x", 1, 1]):
        try:
            return reverse(name, args=arguments)
        except NoReverseMatch:
            continue
    raise AssertionError(f"{name} takes arguments this test does not know")


# --- error pages ---------------------------------------------------------------------------------------


def test_a_missing_page_links_to_the_start_page(client, operator):
    client.force_login(operator)

    answer = client.get("/nowhere/")

    assert answer.status_code == 404
    assert b"Go to overview" in answer.content


def test_foreign_and_missing_objects_give_identical_responses(client, operator, stranger):
    client.force_login(operator)
    foreign = OperationRunFactory()

    bodies = {
        client.get(path).content
        for path in (f"/runs/{foreign.pk}/", "/runs/424242/", "/w/elsewhere/", "/w/nowhere/", "/x")
    }

    assert len(bodies) == 1


def test_a_missing_permission_is_shown_with_the_reason(client, workspace, reader, tenant):
    client.force_login(reader)
    run = OperationRunFactory(tenant=tenant, failed=True)

    answer = client.post(f"/runs/{run.pk}/acknowledge/")

    assert answer.status_code == 403
    assert "Your role in Contoso Services does not include" in answer.content.decode()


def test_too_many_fields_and_too_large_requests_show_an_error_page(client, operator):
    client.force_login(operator)

    many = client.post("/theme/", {f"field{n}": "x" for n in range(1100)})
    much = client.post(
        "/theme/", {"next": "x" * 3_000_000}, content_type="application/x-www-form-urlencoded"
    )

    assert many.status_code == 413
    assert b"select fewer objects" in many.content
    assert much.status_code == 413


def test_a_server_error_shows_only_a_reference(client, operator, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("canary-secret")

    monkeypatch.setattr(listing, "build_run_filter", fail)
    client.force_login(operator)
    client.raise_request_exception = False

    answer = client.get("/runs/")

    assert answer.status_code == 500
    assert answer["X-Reference"] in answer.content.decode()
    assert b"canary" not in answer.content


# --- headers and markup -------------------------------------------------------------------------------

PAGES = [
    "/",
    "/sign-in/",
    "/runs/",
    "/w/contoso/",
    "/w/contoso/runs/",
    "/nowhere/",
    "/runs/?older=x",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_response_has_a_strict_policy_and_is_not_cached(client, operator, path):
    if path != "/sign-in/":
        client.force_login(operator)

    answer = client.get(path)

    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "no-store" in answer["Cache-Control"]
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_styles_or_scripts(client, operator, tenant, path):
    OperationRunFactory(tenant=tenant, partial=True)
    OperationRunFactory(tenant=tenant, running=True)
    client.force_login(operator)

    html = client.get(path, follow=True).content.decode()

    assert " style=" not in html
    assert "<style" not in html
    assert "onclick" not in html
    for script in html.split("<script")[1:]:
        assert " src=" in script.split(">")[0]


def test_htmx_neither_evaluates_scripts_nor_caches_pages(client, db):
    html = client.get(SIGN_IN).content.decode()

    assert '"allowEval":false' in html
    assert '"historyCacheSize":0' in html
    assert '"selfRequestsOnly":true' in html
