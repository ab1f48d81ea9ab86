"""Pages name kinds, types, reasons and events; a stored key is shown as code or not at all."""

from __future__ import annotations

import re

import pytest
from django.db import transaction
from django.test import Client

from audit.registry import events
from operations.reasons import all_reasons
from operations.types import OperationRunType
from providers.graph.kinds import KINDS
from tenancy.models import User
from tests.browser.pages import TOURS, populate
from tests.support.sessions import open_session

#: What only a key contains: words of one key are words of a page.
KEYS = {
    key
    for key in (
        *KINDS,
        *(run_type.value for run_type in OperationRunType),
        *(reason.code for reason in all_reasons()),
        *events(),
    )
    if "_" in key or "." in key
}
#: Parts of a page that may have keys: code, values of fields, and texts of other systems.
CODE = re.compile(
    r"<(script|style|code|pre|textarea|template)\b.*?</\1>|<option\b.*?>|<[^>]+>", re.DOTALL
)
WORD = re.compile(r"[a-z]+(?:[._][a-z]+)+")


def keys_on(client: Client, address: str) -> set[str]:
    response = client.get(address, follow=True)
    if not response["Content-Type"].startswith("text/html") or response.streaming:
        return set()
    return set(WORD.findall(CODE.sub(" ", response.content.decode()))) & KEYS


@pytest.mark.django_db
@pytest.mark.parametrize("tour", TOURS)
def test_no_page_shows_a_key(client: Client, tour: str) -> None:
    with transaction.atomic():
        populate()
        addresses = TOURS[tour].populate()
        open_session(client, User.objects.get(username=TOURS[tour].user or "olga"))
        shown = {name: keys for name, page in addresses.items() if (keys := keys_on(client, page))}
        transaction.set_rollback(True)

    assert shown == {}
