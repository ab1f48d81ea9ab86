"""The address of a run and its related links."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from operations import links
from operations.links import Link, OperationRunLinks, related_link, related_links
from operations.models import OperationRun
from tenancy.models import User
from tests.support.factories import OperationRunFactory, UserFactory


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty the link registries."""
    monkeypatch.setattr(links, "_BY_KEY", {})
    monkeypatch.setattr(links, "_BY_RUN", [])


@pytest.fixture
def run() -> OperationRun:
    return OperationRunFactory.build(pk=42, context={"backup_set_id": 7})


@pytest.fixture
def user() -> User:
    return UserFactory.build()


def test_a_run_has_one_permalink(run: OperationRun) -> None:
    assert OperationRunLinks.view(run) == "/runs/42/"


def test_a_context_key_becomes_a_related_link(
    registry: None, run: OperationRun, user: User
) -> None:
    @related_link("backup_set_id")
    def backup_set(value: int, run: OperationRun, user: User) -> Link:
        return Link(f"Backup set {value}", f"/backup-sets/{value}/", "Backup set")

    @related_link("policy_id")
    def policy(value: int, run: OperationRun, user: User) -> Link:
        raise AssertionError("the run names no policy")

    assert OperationRunLinks.related(run, user) == [
        Link("Backup set 7", "/backup-sets/7/", "Backup set")
    ]


def test_an_object_that_the_user_cannot_see_is_not_linked(
    registry: None, run: OperationRun, user: User
) -> None:
    @related_link("backup_set_id")
    def hidden(value: int, run: OperationRun, user: User) -> None:
        return None

    assert OperationRunLinks.related(run, user) == []


def test_related_links_can_come_from_the_run_itself(
    registry: None, run: OperationRun, user: User
) -> None:
    @related_links
    def siblings(run: OperationRun, user: User) -> Iterable[Link]:
        yield Link("Retry", "/runs/43/", "Run")
        yield Link("Another retry", "/runs/44/", "Run")

    assert [link.url for link in OperationRunLinks.related(run, user)] == [
        "/runs/43/",
        "/runs/44/",
    ]
