"""The guards of the outbox and of deliveries, attacked with plain SQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from notifications.models import (
    NotificationDelivery,
    NotificationEvent,
    NotificationRule,
    WebhookEndpoint,
)
from tenancy.crypto import CredentialUnreadable
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.notifications import (
    add_endpoint,
    create_delivery,
    create_event,
    create_rule,
    create_webhook,
)

pytestmark = pytest.mark.django_db


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refused(by: str) -> Any:
    return pytest.raises(DatabaseError, match=by)


@pytest.mark.parametrize(
    "assignment",
    [
        "kind = 'run_failed'",
        "subject_id = 0",
        "key = 'x'",
        "created_at = now()",
        "tenant_id = NULL",
    ],
)
def test_what_happened_cannot_be_changed(tenant: Tenant, assignment: str) -> None:
    event = create_event(tenant, handled_at=None)

    with refused("what happened cannot be changed"):
        sql(f"UPDATE notification_events SET {assignment} WHERE id = %s", event.pk)


@pytest.mark.parametrize("assignment", ["handled_at = NULL", "title = 'other'", "path = '/evil/'"])
def test_a_handled_event_cannot_be_changed(tenant: Tenant, assignment: str) -> None:
    create_event(tenant)

    with refused("it cannot be changed"):
        sql(f"UPDATE notification_events SET {assignment}")


def test_an_event_is_written_once_and_not_deleted_before_it_is_handled(tenant: Tenant) -> None:
    event = create_event(tenant, handled_at=None)

    with refused("notification_events_once"):
        sql(
            "INSERT INTO notification_events (workspace_id, kind, subject_id, key)"
            " SELECT workspace_id, kind, subject_id, key FROM notification_events"
        )
    with refused("is not handled"):
        sql("DELETE FROM notification_events")

    assert NotificationEvent.objects.get() == event


@pytest.mark.parametrize(
    "assignment",
    ["delivered_at = NULL", "due_at = now()", "attempts = attempts + 1", "answer = 'other'"],
)
def test_a_delivered_delivery_is_never_sent_again(tenant: Tenant, assignment: str) -> None:
    delivery = create_delivery(tenant)
    sql("UPDATE notification_deliveries SET delivered_at = now() WHERE id = %s", delivery.pk)

    with refused("has been delivered"):
        sql(f"UPDATE notification_deliveries SET {assignment}")


def test_a_delivery_keeps_its_receiver_and_its_attempts(tenant: Tenant, operator: User) -> None:
    create_delivery(tenant, attempts=2)

    with refused("receiver cannot be changed"):
        sql("UPDATE notification_deliveries SET user_id = %s", operator.pk)
    with refused("cannot be fewer"):
        sql("UPDATE notification_deliveries SET attempts = 0")
    with refused("notification_deliveries_end_once"):
        sql("UPDATE notification_deliveries SET delivered_at = now(), failed_at = now()")


def test_an_event_reaches_a_member_once_by_each_channel(tenant: Tenant) -> None:
    create_delivery(tenant)
    columns = "workspace_id, event_id, user_id"

    for table in ("notifications", "notification_deliveries"):
        due = ", due_at" if table == "notification_deliveries" else ""
        with refused(f"{table}_(email_)?once"):
            sql(f"INSERT INTO {table} ({columns}{due}) SELECT {columns}{due} FROM {table}")


def test_nothing_reaches_a_user_of_another_workspace(tenant: Tenant, stranger: User) -> None:
    create_delivery(tenant)
    event = create_event(TenantFactory())

    with refused("notifications_user_is_a_member"):
        sql("UPDATE notifications SET user_id = %s", stranger.pk)
    with refused("notifications_event_of_workspace"):
        sql("UPDATE notifications SET event_id = %s", event.pk)
    with refused("notification_deliveries_user_is_a_member"):
        sql(
            "INSERT INTO notification_deliveries (workspace_id, event_id, user_id, due_at)"
            " SELECT workspace_id, event_id, %s, now() FROM notification_deliveries",
            stranger.pk,
        )
    assert NotificationDelivery.objects.get().user != stranger


def test_a_rule_concerns_its_own_workspace_only(tenant: Tenant, stranger: User) -> None:
    create_rule(tenant.workspace)
    foreign = BackupScheduleFactory(tenant=TenantFactory())

    attacks = {
        "notification_rules_tenant_of_workspace": f"tenant_id = {foreign.tenant_id}",
        "notification_rules_schedule_of_its_tenant": (
            f"tenant_id = {tenant.pk}, schedule_id = {foreign.pk}"
        ),
        "notification_rules_schedule_of_tenant": f"schedule_id = {foreign.pk}",
        "notification_rules_owner_is_a_member": f"owner_id = {stranger.pk}",
        "notification_rules_events_known": "events = '{unknown}'",
        "notification_rules_in_a_row": "in_a_row = 0",
        "notification_rules_have_a_channel": "in_app = false",
    }
    for constraint, assignment in attacks.items():
        with refused(constraint):
            sql(f"UPDATE notification_rules SET {assignment}")
    with refused("notification_rules_events_known"):
        sql("UPDATE notification_rules SET events = '{}'")
    assert NotificationRule.objects.get().tenant is None


# --- webhooks -------------------------------------------------------------------------------------


def test_an_event_reaches_an_endpoint_once(tenant: Tenant) -> None:
    create_webhook(tenant)
    columns = "workspace_id, event_id, endpoint_id, message_id, due_at"

    with refused("notification_deliveries_sent_once"):
        sql(
            f"INSERT INTO notification_deliveries ({columns})"
            f" SELECT {columns} FROM notification_deliveries"
        )


@pytest.mark.parametrize(
    ("assignment", "by"),
    [
        ("message_id = gen_random_uuid()", "its message cannot be another one"),
        ("message_id = NULL", "its message cannot be another one"),
        ("repetition = 1", "receiver cannot be changed"),
        ("endpoint_id = NULL, user_id = {user}", "receiver cannot be changed"),
        ("endpoint_id = {other}", "receiver cannot be changed"),
    ],
)
def test_a_webhook_keeps_its_message_and_its_endpoint(
    tenant: Tenant, operator: User, assignment: str, by: str
) -> None:
    create_webhook(tenant)
    other, _ = add_endpoint(tenant.workspace)

    with refused(by):
        sql(
            "UPDATE notification_deliveries SET "
            + assignment.format(user=operator.pk, other=other.pk)
        )


def test_a_delivery_has_one_receiver_of_its_workspace(tenant: Tenant, operator: User) -> None:
    foreign, _ = add_endpoint(TenantFactory().workspace)
    webhook = create_webhook(tenant)
    insert = (
        "INSERT INTO notification_deliveries"
        " (workspace_id, event_id, user_id, endpoint_id, message_id, due_at)"
        " SELECT workspace_id, event_id, %s, %s, gen_random_uuid(), now()"
        " FROM notification_deliveries"
    )

    with refused("notification_deliveries_one_receiver"):
        sql(insert, operator.pk, webhook.endpoint_id)
    with refused("notification_deliveries_one_receiver"):
        sql(insert, None, None)
    with refused("notification_deliveries_endpoint_of_workspace"):
        sql(insert, None, foreign.pk)


def test_a_rule_sends_only_to_an_endpoint_of_its_workspace_and_for_all_members(
    tenant: Tenant, operator: User
) -> None:
    endpoint, _ = add_endpoint(tenant.workspace)
    foreign, _ = add_endpoint(TenantFactory().workspace)
    rule = create_rule(tenant.workspace, endpoint=endpoint)

    with refused("notification_rules_webhooks_are_shared"):
        sql("UPDATE notification_rules SET owner_id = %s", operator.pk)
    with refused("notification_rules_endpoint_of_workspace"):
        sql("UPDATE notification_rules SET endpoint_id = %s", foreign.pk)
    with refused("notification_rules_endpoint_of_workspace"):
        sql("DELETE FROM webhook_endpoints WHERE id = %s", endpoint.pk)
    with refused("notification_rules_have_a_channel"):
        sql("UPDATE notification_rules SET endpoint_id = NULL, in_app = false")
    rule.refresh_from_db()
    assert rule.endpoint == endpoint


def test_the_address_and_the_secrets_of_an_endpoint_are_encrypted(tenant: Tenant) -> None:
    add_endpoint(tenant.workspace, format="slack")
    stored = WebhookEndpoint.objects.get()
    attacks = {
        "webhook_endpoints_url_is_encrypted": "encrypted_url = 'https://hooks.example.com/a'",
        "webhook_endpoints_secret_is_encrypted": "encrypted_secret = 'whsec_a'",
        "webhook_endpoints_previous_is_encrypted": (
            "encrypted_previous_secret = 'whsec_a', previous_until = now()"
        ),
        "webhook_endpoints_name_is_visible": "name = U&'a\\200b'",
        "its workspace and format cannot be changed": "format = 'teams'",
    }

    for by, assignment in attacks.items():
        with refused(by):
            sql(f"UPDATE webhook_endpoints SET {assignment}")
    with refused("webhook_endpoints_previous_is_encrypted"):
        sql("UPDATE webhook_endpoints SET previous_until = now()")
    assert WebhookEndpoint.objects.get().encrypted_url == stored.encrypted_url


def test_an_endpoint_of_the_standard_format_has_a_secret_and_stays_in_its_workspace(
    tenant: Tenant,
) -> None:
    add_endpoint(tenant.workspace)

    with refused("webhook_endpoints_secret_is_encrypted"):
        sql("UPDATE webhook_endpoints SET encrypted_secret = ''")
    with refused("its workspace and format cannot be changed"):
        sql("UPDATE webhook_endpoints SET workspace_id = %s", TenantFactory().workspace_id)


def test_an_address_that_was_copied_from_another_endpoint_is_not_sent_to(tenant: Tenant) -> None:
    add_endpoint(tenant.workspace)
    foreign, _ = add_endpoint(TenantFactory().workspace)
    sql("UPDATE webhook_endpoints SET encrypted_url = %s", foreign.encrypted_url)
    own = WebhookEndpoint.objects.get(workspace=tenant.workspace)

    with pytest.raises(CredentialUnreadable):
        own.decrypt(own.encrypted_url, "url")


ATTACKS = (
    "UPDATE webhook_endpoints SET encrypted_url = 'https://hooks.example.com/'",
    "UPDATE webhook_endpoints SET encrypted_secret = 'whsec_a'",
    "UPDATE webhook_endpoints SET format = 'slack', encrypted_secret = ''",
    "UPDATE notification_deliveries SET delivered_at = NULL",
    "UPDATE notification_deliveries SET message_id = gen_random_uuid()",
    "UPDATE notification_deliveries SET repetition = 7",
    "ALTER TABLE notification_deliveries DISABLE TRIGGER deliveries_end_once",
    "ALTER TABLE webhook_endpoints DISABLE TRIGGER endpoints_keep_their_format",
    "ALTER TABLE webhook_endpoints DROP CONSTRAINT webhook_endpoints_url_is_encrypted",
)


@pytest.mark.django_db(transaction=True)
def test_the_guards_of_webhooks_bind_the_role_of_the_application(
    tenant: Tenant, app_role: str
) -> None:
    create_webhook(tenant, delivered_at=timezone.now())

    with psycopg.connect(app_role, autocommit=True) as application:
        assert application.execute("SELECT count(*) FROM webhook_endpoints").fetchone() == (1,)
        for attack in ATTACKS:
            with pytest.raises(psycopg.Error):
                application.execute(attack)
