"""Connections: credentials, database guards, visibility, key rotation, clients and admin."""

from __future__ import annotations

import datetime as dt
import logging
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as db
from django.urls import reverse
from django.utils import timezone

from operations.reasons import Blocked
from providers.connections import default_connection, graph_client_for
from providers.graph.errors import CredentialRejected
from providers.models import ConnectionStatus, ProviderConnection
from providers.rotation import rotate_credentials
from redaction.text import sanitize_text
from tenancy.crypto import CredentialUnreadable, new_key
from tenancy.rotation import RotationResult
from tests.support.factories import TenantFactory
from tests.support.factories.providers import ProviderConnectionFactory

CANARY = "canary~8Q-secret-of-the-app"
pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(tenant):
    connection = ProviderConnectionFactory(tenant=tenant, name="Contoso reader")
    connection.set_credential(CANARY, expires_on=dt.date(2027, 1, 31))
    return connection


def execute(statement, values):
    with transaction.atomic(), db.cursor() as cursor:
        cursor.execute(statement, values)


def assert_refused(statement, values):
    with pytest.raises(IntegrityError):
        execute(statement, values)


# --- Credentials ----------------------------------------------------------------------------


def test_a_credential_is_stored_encrypted_and_read_back(stored):
    with db.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(c)::text FROM provider_connections c")
        (row,) = cursor.fetchone()

    assert CANARY not in row
    assert ProviderConnection.objects.get().credential() == CANARY
    assert stored.credential_state == "set, key v1, expires 2027-01-31"


def test_a_credential_is_never_displayed_or_logged(stored, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("x").info("%r %s %s", stored, stored, vars(stored))

    assert CANARY not in f"{stored!r} {stored} {vars(stored)} {caplog.text}"
    assert CANARY not in sanitize_text(f"the secret is {CANARY}!")


def test_a_credential_copied_to_another_row_does_not_decrypt(stored, tenant):
    other = ProviderConnectionFactory(tenant=tenant, is_default=False)
    ProviderConnection.objects.filter(pk=other.pk).update(
        encrypted_credential=stored.encrypted_credential
    )

    other.refresh_from_db()
    with pytest.raises(CredentialUnreadable):
        other.credential()


def test_a_credential_moved_to_another_workspace_does_not_decrypt(stored):
    stored.workspace_id += 1

    with pytest.raises(CredentialUnreadable):
        stored.credential()


def test_a_connection_must_be_saved_before_its_credential(tenant):
    unsaved = ProviderConnection(tenant=tenant, workspace=tenant.workspace, client_id=uuid.uuid4())

    with pytest.raises(ValueError, match="Save"):
        unsaved.set_credential(CANARY)


@pytest.mark.parametrize("value", [CANARY, "rl1.v1.short", "rl1.v1." + "a" * 60 + " ", " "])
def test_raw_sql_cannot_store_plaintext(stored, value):
    assert_refused("UPDATE provider_connections SET encrypted_credential = %s", [value])


# --- Guards ---------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["cloud", "access", "status", "credential_kind"])
def test_raw_sql_cannot_store_an_unknown_value(stored, column):
    assert_refused(f"UPDATE provider_connections SET {column} = %s", ["elsewhere"])


def test_a_tenant_has_one_default(stored, tenant):
    ProviderConnectionFactory(tenant=tenant, is_default=False)

    assert_refused("UPDATE provider_connections SET is_default = %s", [True])


def test_a_tenant_of_another_workspace_is_refused(stored):
    assert_refused("UPDATE provider_connections SET tenant_id = %s", [TenantFactory().pk])


def test_members_see_only_the_connections_of_their_workspace(stored, reader, stranger):
    assert list(ProviderConnection.objects.visible_to(reader)) == [stored]
    assert not ProviderConnection.objects.visible_to(stranger).exists()


def test_a_new_credential_clears_the_last_check(stored):
    stored.check_results, stored.checked_at = {"groups": "granted"}, timezone.now()
    stored.status = ConnectionStatus.READY
    stored.save()

    stored.set_credential("another secret")

    stored.refresh_from_db()
    assert (stored.status, stored.checked_at) == (ConnectionStatus.UNCHECKED, None)
    assert stored.check_results == {}
    assert stored.credential_expires_on is None


# --- Rotation -------------------------------------------------------------------------------


def test_rotation_encrypts_every_credential_with_the_first_key_and_can_be_repeated(
    stored, settings
):
    settings.CREDENTIAL_KEYS = f"v2:{new_key()},{settings.CREDENTIAL_KEYS}"

    assert rotate_credentials() == {RotationResult.ROTATED: 1}
    assert rotate_credentials() == {RotationResult.CURRENT: 1}

    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS.split(",")[0]
    stored.refresh_from_db()
    assert stored.credential_key_id == "v2"
    assert stored.credential() == CANARY


def test_rotation_names_unreadable_credentials_and_does_not_change_them(
    stored, settings, capsys, caplog
):
    before = stored.encrypted_credential
    settings.CREDENTIAL_KEYS = f"v2:{new_key()}"

    with pytest.raises(CommandError, match="cannot be decrypted"):
        call_command("rotate_credentials")

    assert "unreadable: 1" in capsys.readouterr().out
    assert f"connection {stored} of the tenant {stored.tenant} cannot be decrypted" in caplog.text
    assert ProviderConnection.objects.get().encrypted_credential == before


# --- Clients --------------------------------------------------------------------------------


def test_a_tenants_client_reads_its_tenant(connection, tenant, sandbox_tenant):
    with graph_client_for(tenant) as client:
        (organization,) = client.list("/v1.0/organization")

    assert organization["id"] == str(sandbox_tenant.tenant_id)


def test_a_wrong_secret_blocks_with_a_next_step(connection, tenant):
    connection.set_credential("not-the-secret")

    with graph_client_for(tenant) as client, pytest.raises(CredentialRejected) as caught:
        client.get("/v1.0/groups")

    assert "Create a new secret" in caught.value.next_step


def blocked_error(tenant):
    with pytest.raises(Blocked) as caught:
        graph_client_for(tenant)
    return caught.value


def test_a_tenant_without_default_connection_is_blocked(tenant):
    ProviderConnectionFactory(tenant=tenant, is_default=False)

    error = blocked_error(tenant)

    assert error.code == "connection_missing"
    assert tenant.name in error.message


def test_a_connection_without_credential_is_blocked(connection, tenant):
    ProviderConnection.objects.update(encrypted_credential="")

    assert blocked_error(tenant).code == "credential_missing"


def test_a_credential_whose_key_is_missing_blocks_with_a_next_step(connection, tenant, settings):
    settings.CREDENTIAL_KEYS = f"v9:{new_key()}"

    error = blocked_error(tenant)

    assert error.code == "credential_unreadable"
    assert "CREDENTIAL_KEYS" in error.next_step


def test_the_graph_sandbox_is_unavailable_where_it_is_not_configured(connection, tenant, settings):
    settings.GRAPH_SANDBOX_URL = ""

    assert blocked_error(tenant).code == "cloud_not_available"


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_an_unreadable_file_of_certificate_authorities_blocks(
    connection, tenant, settings, tmp_path, content
):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    settings.GRAPH_CA_BUNDLE = str(path)

    assert blocked_error(tenant).code == "ca_bundle_unreadable"


def test_the_default_connection_belongs_to_the_tenant(connection, tenant):
    ProviderConnectionFactory()

    assert default_connection(tenant) == connection


# --- Admin ----------------------------------------------------------------------------------


def test_the_admin_displays_the_state_of_a_credential_but_not_the_credential(stored, admin_client):
    url = reverse("admin:providers_providerconnection_change", args=[stored.pk])
    pages = [
        admin_client.get(url),
        admin_client.get(url.replace(f"{stored.pk}/change/", "?q=Contoso")),
    ]

    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        assert "set, key v1, expires 2027-01-31" in text
        assert CANARY not in text
        assert stored.encrypted_credential not in text


def test_the_admin_cannot_write_a_credential_or_move_a_connection(stored, admin_client):
    other = TenantFactory()
    url = reverse("admin:providers_providerconnection_change", args=[stored.pk])
    body = {
        "name": "Renamed", "cloud": "sandbox", "client_id": str(stored.client_id),
        "access": "read_only", "is_default": "on", "credential_expires_on": "2027-01-31",
        "encrypted_credential": "x", "credential": "x", "status": "ready",
        "tenant": other.pk, "workspace": other.workspace_id,
    }  # fmt: skip

    admin_client.post(url, body)

    stored.refresh_from_db()
    assert stored.name == "Renamed"
    assert stored.credential() == CANARY
    assert stored.tenant_id != other.pk
    assert stored.status == "unchecked"


def test_the_admin_rejects_a_duplicate_name(stored, admin_client):
    other = ProviderConnectionFactory(tenant=stored.tenant, name="Write", is_default=False)
    url = reverse("admin:providers_providerconnection_change", args=[other.pk])
    form = {"name": stored.name, "cloud": other.cloud, "client_id": str(other.client_id)}

    response = admin_client.post(url, {**form, "access": other.access})

    other.refresh_from_db()
    assert response.status_code == 200
    assert "already exists" in response.content.decode()
    assert other.name == "Write"


def test_the_admin_cannot_delete_a_connection(stored, admin_client):
    url = reverse("admin:providers_providerconnection_delete", args=[stored.pk])

    assert admin_client.post(url, {"post": "yes"}).status_code == 403
