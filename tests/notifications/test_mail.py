"""Emails reach a real mail server once, also after it refused, hung or was down."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core.exceptions import ValidationError
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from dev.services.processes import free_port
from notifications import mail
from notifications.delivering import MAX_ATTEMPTS, wait_after
from notifications.mail import send_emails
from notifications.models import Frequency, NotificationDelivery, NotificationSettings
from notifications.unsubscribing import unsubscribe_token
from tenancy.models import Tenant, User
from tests.support.factories.notifications import create_delivery, create_event

pytestmark = pytest.mark.django_db

SITE = "https://runs.example.com"


class MailServer:
    """Keeps the messages that it accepts; `answers` are given before, one to each message."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.messages: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.hangs = False

    async def handle_RCPT(  # noqa: N802 - the name of the hook
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("unknown"):
            return "550 5.1.1 no such user <secret-of-the-server>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.receivers += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture(scope="module")
def running_server() -> Iterator[tuple[MailServer, int]]:
    handler = MailServer()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def server(running_server: tuple[MailServer, int], settings: Settings) -> MailServer:
    handler, port = running_server
    handler.__init__()  # type: ignore[misc]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.SITE_URL = SITE
    settings.DEFAULT_FROM_EMAIL = "Runledger <runledger@example.com>"
    return handler


@pytest.fixture
def delivery(tenant: Tenant, operator: User) -> NotificationDelivery:
    return create_delivery(tenant, operator)


def body_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def make_due() -> None:
    NotificationDelivery.objects.filter(delivered_at=None).update(due_at=Now())


def test_an_email_has_text_html_links_and_one_click_unsubscribe(
    server: MailServer, delivery: NotificationDelivery, operator: User
) -> None:
    assert send_emails() == 1
    assert send_emails() == 0

    (message,) = server.messages
    assert server.receivers == [operator.email]
    assert message["Subject"] == "[Runledger] The backup of Fabrikam is late."
    assert message["Auto-Submitted"] == "auto-generated"
    unsubscribe = message["List-Unsubscribe"].replace("\r\n", "").replace(" ", "").strip("<>")
    # The rest of the token is the time and a signature.
    (user_part, _, _) = unsubscribe_token(operator).split(":")
    assert unsubscribe.startswith(f"{SITE}/notifications/unsubscribe/{user_part}:")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, html = body_of(message, "plain"), body_of(message, "html")
    link = f"{SITE}{delivery.event.path}"
    assert link in plain
    assert f'<a href="{link}">The backup of Fabrikam is late.</a>' in html
    assert unsubscribe in plain
    delivery.refresh_from_db()
    assert delivery.delivered_at is not None
    assert (delivery.attempts, delivery.answer) == (1, "The mail server accepted the message.")


def test_a_name_cannot_add_markup_or_a_header(
    server: MailServer, tenant: Tenant, operator: User
) -> None:
    create_delivery(tenant, operator)
    NotificationDelivery.objects.all().delete()
    event = create_event(tenant, title="<b>late</b>\r\nBcc: all@example.com")
    NotificationDelivery.objects.create(
        workspace=tenant.workspace, event=event, user=operator, due_at=Now()
    )

    assert send_emails() == 1

    (message,) = server.messages
    assert message["Subject"] == "[Runledger] <b>late</b> Bcc: all@example.com"
    assert message["Bcc"] is None
    assert "&lt;b&gt;late" in body_of(message, "html")


def test_what_is_due_together_is_one_message(
    server: MailServer, tenant: Tenant, delivery: NotificationDelivery, operator: User
) -> None:
    for _ in range(2):
        NotificationDelivery.objects.create(
            workspace=tenant.workspace, event=create_event(tenant), user=operator, due_at=Now()
        )

    assert send_emails() == 1

    (message,) = server.messages
    assert message["Subject"].startswith("[Runledger] 3 notifications: ")
    assert NotificationDelivery.objects.exclude(delivered_at=None).count() == 3


def test_a_message_that_was_refused_is_sent_again_with_the_same_id(
    server: MailServer, tenant: Tenant, delivery: NotificationDelivery, operator: User
) -> None:
    server.answers = ["451 4.3.0 try again later, password=hunter2-of-the-server"]

    assert send_emails() == 0
    delivery.refresh_from_db()
    assert delivery.answer == "The mail server refused the message (451)."
    first_id = delivery.message_id
    # It waits; what happened in the meantime is another message.
    assert send_emails() == 0
    NotificationDelivery.objects.create(
        workspace=tenant.workspace, event=create_event(tenant), user=operator, due_at=Now()
    )
    make_due()

    assert send_emails() == 2
    ids = {message["Message-ID"] for message in server.messages}
    assert len(ids) == 2
    assert f"<{first_id}@example.com>" in ids
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.message_id) == (2, first_id)


def test_an_address_that_is_refused_does_not_stop_the_others(
    server: MailServer, tenant: Tenant, operator: User, owner: User
) -> None:
    User.objects.filter(pk=operator.pk).update(email="unknown@example.com")
    refused, accepted = create_delivery(tenant, operator), create_delivery(tenant, owner)

    assert send_emails() == 1

    refused.refresh_from_db()
    accepted.refresh_from_db()
    assert refused.answer == "The mail server refused the address (550)."
    assert accepted.delivered_at is not None
    assert server.receivers == [owner.email]


def test_a_server_that_is_down_loses_nothing(
    server: MailServer,
    settings: Settings,
    tenant: Tenant,
    delivery: NotificationDelivery,
    owner: User,
) -> None:
    other = create_delivery(tenant, owner)
    port = settings.EMAIL_PORT
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = closed.getsockname()[1]
        assert send_emails() == 0
    delivery.refresh_from_db()
    other.refresh_from_db()
    assert delivery.answer == "The mail server could not be reached."
    # The second message was not tried in vain.
    assert (delivery.attempts, other.attempts) == (1, 0)

    settings.EMAIL_PORT = port
    make_due()

    assert send_emails() == 2
    assert len(server.messages) == 2


def test_a_server_that_hangs_is_given_up_for_this_tick(
    server: MailServer, settings: Settings, delivery: NotificationDelivery
) -> None:
    port, timeout = settings.EMAIL_PORT, settings.EMAIL_TIMEOUT
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = silent.getsockname()[1], 0.5
        assert send_emails() == 0
    delivery.refresh_from_db()
    assert delivery.answer == "The mail server did not answer in time."

    settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = port, timeout
    make_due()

    assert send_emails() == 1
    assert len(server.messages) == 1


def test_a_process_that_dies_while_sending_sends_the_same_message_again(
    server: MailServer, delivery: NotificationDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(mail, "_record_success", die)
        with pytest.raises(SystemExit):
            send_emails()
    assert send_emails() == 0
    make_due()

    assert send_emails() == 1
    first, second = (message["Message-ID"] for message in server.messages)
    assert first == second


def test_a_delivery_is_given_up_after_a_day(
    server: MailServer, delivery: NotificationDelivery
) -> None:
    NotificationDelivery.objects.update(attempts=MAX_ATTEMPTS - 1)
    server.answers = ["554 5.7.1 no"]

    send_emails()
    make_due()
    send_emails()

    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.delivered_at) == (MAX_ATTEMPTS, None)
    assert delivery.failed_at is not None
    waits = sum((wait_after(number) for number in range(1, MAX_ATTEMPTS)), dt.timedelta())
    assert dt.timedelta(hours=23) < waits < dt.timedelta(hours=26)


def test_what_was_given_up_is_sent_again_as_the_same_message(
    server: MailServer, tenant: Tenant, delivery: NotificationDelivery, operator: User
) -> None:
    """Whole: a part of it under the same Message-ID would not be shown."""
    NotificationDelivery.objects.create(
        workspace=tenant.workspace, event=create_event(tenant), user=operator, due_at=Now()
    )
    NotificationDelivery.objects.update(attempts=MAX_ATTEMPTS - 1)
    server.answers = ["554 5.7.1 no", "554 5.7.1 no"]
    send_emails()
    delivery.refresh_from_db()

    for _ in range(2):
        mail.send_again(delivery)
        with pytest.raises(ValidationError, match="on its way"):
            mail.send_again(delivery)
        send_emails()

    (message,) = server.messages
    assert message["Message-ID"] == f"<{delivery.message_id}@example.com>"
    assert message["Subject"].startswith("[Runledger] 2 notifications: ")
    assert NotificationDelivery.objects.exclude(delivered_at=None).count() == 2
    with pytest.raises(ValidationError, match="has arrived"):
        mail.send_again(delivery)
    assert send_emails() == 0


def test_an_email_is_not_sent_again_to_a_member_who_gets_none(
    delivery: NotificationDelivery, operator: User
) -> None:
    NotificationDelivery.objects.update(failed_at=Now())
    NotificationSettings.objects.filter(user=operator).update(frequency=Frequency.OFF)

    with pytest.raises(ValidationError, match="gets no email"):
        mail.send_again(delivery)

    assert not NotificationDelivery.objects.filter(failed_at=None).exists()


@pytest.mark.parametrize("reason", ["off", "inactive", "no address"])
def test_a_member_who_gets_no_email_any_more_is_left_out(
    server: MailServer, delivery: NotificationDelivery, operator: User, reason: str
) -> None:
    if reason == "off":
        NotificationSettings.objects.filter(user=operator).update(frequency=Frequency.OFF)
    if reason == "inactive":
        User.objects.filter(pk=operator.pk).update(is_active=False)
    if reason == "no address":
        User.objects.filter(pk=operator.pk).update(email="")

    assert send_emails() == 0

    delivery.refresh_from_db()
    assert delivery.failed_at is not None
    assert delivery.answer == "The member gets no email any more."
    assert server.messages == []


def test_without_an_address_of_the_site_an_email_has_no_links(
    server: MailServer, settings: Settings, delivery: NotificationDelivery
) -> None:
    settings.SITE_URL = ""

    assert send_emails() == 1

    (message,) = server.messages
    assert message["List-Unsubscribe"] is None
    assert "http" not in body_of(message, "plain")


# --- unsubscribing --------------------------------------------------------------------------------


ONE_CLICK = (
    ("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"),
    (
        "multipart/form-data; boundary=x",
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
    ),
)


@pytest.mark.parametrize(("content_type", "body"), ONE_CLICK)
def test_a_mail_program_unsubscribes_with_one_request(
    operator: User, content_type: str, body: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    address = f"/notifications/unsubscribe/{unsubscribe_token(operator)}/"

    shown = client.get(address)
    assert not NotificationSettings.objects.exists()
    response = client.post(address, body, content_type=content_type)

    assert (shown.status_code, response.status_code) == (200, 200)
    assert NotificationSettings.objects.get(user=operator).frequency == Frequency.OFF


def test_a_link_that_was_changed_is_not_found(operator: User) -> None:
    token = unsubscribe_token(operator)

    for changed in (token[:-1], f"x{token}", "1"):
        address = f"/notifications/unsubscribe/{changed}/"
        assert Client().get(address).status_code == 404
        assert Client().post(address).status_code == 404
    assert not NotificationSettings.objects.exists()
