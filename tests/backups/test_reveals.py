"""A value that was hidden by a guess can be shown, by a manager, for a while, with an audit entry."""

from __future__ import annotations

import json
import random

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from backups.models import BackupItem, BackupSchedule
from backups.redactions import renew_redactions
from dev.labeled import draw
from tenancy.models import User
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupSetFactory,
    PolicyVersionFactory,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
RANDOM = draw.mixed(random.Random(1), 40)
NAMED = draw.password(random.Random(2)) + "-named"


@pytest.fixture
def item(schedule: BackupSchedule) -> BackupItem:
    """An item with a value that looks random, and one that its name says is secret."""
    backup_set = BackupSetFactory(schedule=schedule)
    version = PolicyVersionFactory(
        workspace=backup_set.workspace,
        payload={"id": "a", "marker": RANDOM, "adminPassword": NAMED},
    )
    item: BackupItem = BackupItemFactory(backup_set=backup_set, version=version)
    renew_redactions()
    return item


def reveal_address(item: BackupItem) -> str:
    slug = item.workspace.slug
    return reverse("backup_item_reveal", args=[slug, item.backup_set_id, item.pk])


def text_of(client: Client, item: BackupItem) -> str:
    text: str = client.get(item.get_absolute_url()).content.decode()
    return text


def test_a_manager_shows_a_guessed_value_and_no_named_one(
    client: Client, manager: User, item: BackupItem
) -> None:
    open_session(client, manager)
    before = text_of(client, item)
    assert RANDOM not in before
    assert "1 value is hidden only because it looks random." in before

    response = client.post(reveal_address(item))

    assert response["Location"] == item.get_absolute_url()
    after = text_of(client, item)
    assert RANDOM in after
    assert NAMED not in after
    assert "[redacted:" in after


def test_showing_a_value_is_in_the_audit_log_without_the_value(
    client: Client, manager: User, item: BackupItem
) -> None:
    open_session(client, manager)

    client.post(reveal_address(item))

    entry = AuditEntry.objects.get(action="values_revealed")
    assert RANDOM not in json.dumps(list(AuditEntry.objects.values()), default=str)
    assert (entry.object_name, entry.user_id) == (item.name, manager.pk)


@pytest.mark.parametrize("role", ["reader", "operator"])
def test_other_roles_see_no_button_and_are_refused(
    client: Client, item: BackupItem, request: pytest.FixtureRequest, role: str
) -> None:
    open_session(client, request.getfixturevalue(role))

    assert reveal_address(item) not in text_of(client, item)
    assert client.post(reveal_address(item)).status_code == 403
    assert RANDOM not in text_of(client, item)


def test_a_value_is_shown_in_that_session_only_and_for_a_while(
    client: Client, manager: User, item: BackupItem
) -> None:
    open_session(client, manager)
    client.post(reveal_address(item))
    other = Client()
    open_session(other, manager)
    assert RANDOM not in text_of(other, item)

    session = client.session
    session["revealed_items"] = {str(item.pk): 1.0}
    session.save()

    assert RANDOM not in text_of(client, item)


def test_a_session_keeps_no_expired_reveals(
    client: Client, manager: User, item: BackupItem
) -> None:
    open_session(client, manager)
    session = client.session
    session["revealed_items"] = {"7": 1.0}
    session.save()

    client.post(reveal_address(item))

    assert list(client.session["revealed_items"]) == [str(item.pk)]


def test_an_object_without_guesses_has_no_button(
    client: Client, manager: User, schedule: BackupSchedule
) -> None:
    open_session(client, manager)
    item = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule))

    assert reveal_address(item) not in text_of(client, item)
