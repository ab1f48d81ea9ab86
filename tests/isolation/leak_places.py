"""Places outside the tables and the pages in which a secret could end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from django.urls import reverse

from dev.services.postgres import find_programs
from tests.isolation.admin_pages import REGISTERED
from tests.support.broker import Broker
from tests.support.stack import database_url

Place = tuple[str, str]
#: Contents that are stored as they were read, because restores need them.
RAW_TABLE = "policy_versions"
#: The rows of a model whose admin pages are searched.
ROWS = 20


def dump() -> Iterator[Place]:
    """Yield what `pg_dump` writes, without the contents of policies."""
    command = [
        str(find_programs() / "pg_dump"),
        f"--exclude-table-data={RAW_TABLE}",
        database_url(),
    ]
    run = subprocess.run(command, capture_output=True, check=True)
    yield "pg_dump", run.stdout.decode(errors="replace")


def broker_keys(broker: Broker) -> Iterator[Place]:
    """Yield each key of the broker with its value."""
    for key in broker.execute("KEYS", "*"):
        name = key.decode(errors="replace")
        kind = broker.execute("TYPE", key).decode()
        reads = {
            "string": ("GET", key),
            "list": ("LRANGE", key, "0", "-1"),
            "set": ("SMEMBERS", key),
            "zset": ("ZRANGE", key, "0", "-1"),
            "hash": ("HGETALL", key),
        }
        yield f"broker key {name}", f"{name} {broker.execute(*reads[kind])}"


def admin_addresses() -> Iterator[str]:
    """Yield the pages of Django's admin: each list, each form, and the newest rows with their history."""
    for model in REGISTERED:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_add")
        for pk in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:ROWS]:
            for page in ("change", "history", "delete"):
                yield reverse(f"{name}_{page}", args=[pk])


class MailSink:
    """A mail server that keeps every message."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(envelope.content)
        return "250 OK"

    def places(self) -> Iterator[Place]:
        """Yield each message: its headers as sent, and its decoded parts."""
        for content in self.messages:
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
            yield (
                "mail",
                "\n".join(
                    [content.decode(errors="replace"), str(message["subject"]), *map(str, parts)]
                ),
            )
