"""The pages of connections; a credential can be expires_on but is never displayed."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.urls import reverse

from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence
from providers.models import ConnectionStatus, CredentialKind, ProviderConnection
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
REASON = {"reason": "The app was replaced"}

LIST = "/w/contoso/connections/"
GUID = "1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10"
CANARY = "Zq8~canary-of-the-pages.42"


@pytest.fixture
def page(owner: User) -> Client:
    browser = Client()
    open_session(browser, owner)
    return browser


@pytest.fixture
def connection(tenant: Tenant) -> ProviderConnection:
    return ProviderConnectionFactory(tenant=tenant, cloud="global")


def text_of(page: Client, path: str) -> str:
    response = page.get(path)
    assert response.status_code == 200
    return response.content.decode()


def url(name: str, connection: ProviderConnection) -> str:
    return reverse(name, args=[connection.workspace.slug, connection.pk])


def form_data(tenant: Tenant, **changes: str) -> dict[str, str]:
    return {
        "tenant": str(tenant.pk),
        "name": "Read",
        "cloud": "global",
        "client_id": GUID,
        "access": "read_only",
    } | changes


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem_of(key: rsa.RSAPrivateKey, password: bytes = b"") -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption).decode()


def certificate_of(key: rsa.RSAPrivateKey, days: int = 1) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_an_empty_list_leads_to_adding_a_tenant_and_then_a_connection(
    page: Client, workspace: Workspace
) -> None:
    assert "No tenants yet" in text_of(page, LIST)

    TenantFactory(workspace=workspace)

    assert "Add connection" in text_of(page, LIST)


def test_a_connection_is_listed_and_displays_the_required_permissions(
    page: Client, connection: ProviderConnection
) -> None:
    assert connection.get_absolute_url() in text_of(page, LIST)

    text = text_of(page, connection.get_absolute_url())

    assert "Policy.ReadWrite.ConditionalAccess" in text
    expected = f"https://login.microsoftonline.com/{connection.tenant.external_id}/adminconsent"
    assert f"{expected}?client_id={connection.client_id}" in text


def test_a_new_connection_leads_to_its_credential_and_is_the_default(
    page: Client, tenant: Tenant
) -> None:
    response = page.post(f"{LIST}new/", form_data(tenant))

    connection = ProviderConnection.objects.get()
    assert response.headers["Location"] == url("connection_credential", connection)
    assert connection.is_default


def test_only_the_first_connection_becomes_the_default(
    page: Client, connection: ProviderConnection
) -> None:
    page.post(f"{LIST}new/", form_data(connection.tenant))

    assert not ProviderConnection.objects.get(name="Read").is_default


@pytest.mark.parametrize("field", ["tenant", "name", "cloud", "client_id", "access"])
@pytest.mark.parametrize("value", ["", "a\x00b", "9" * 5000, "x" * 100_000])
def test_invalid_input_is_an_error_of_the_form(
    page: Client, tenant: Tenant, field: str, value: str
) -> None:
    response = page.post(f"{LIST}new/", form_data(tenant) | {field: value})

    assert response.status_code == 400
    assert not ProviderConnection.objects.exists()


@pytest.mark.parametrize("text", [f"urn:uuid:{GUID}", f"{{{GUID}}}", GUID.replace("-", "")])
def test_a_client_id_must_have_microsofts_format(page: Client, tenant: Tenant, text: str) -> None:
    assert page.post(f"{LIST}new/", form_data(tenant, client_id=text)).status_code == 400


def test_a_tenant_of_another_workspace_cannot_be_chosen(page: Client, workspace: Workspace) -> None:
    response = page.post(f"{LIST}new/", form_data(TenantFactory()))

    assert response.status_code == 400
    assert not ProviderConnection.objects.exists()


def test_a_name_is_unique_within_a_tenant(page: Client, connection: ProviderConnection) -> None:
    assert (
        page.post(f"{LIST}new/", form_data(connection.tenant, name=connection.name)).status_code
        == 400
    )


def test_another_client_id_clears_the_last_check_and_another_name_does_not(
    page: Client, connection: ProviderConnection
) -> None:
    ProviderConnection.objects.update(status=ConnectionStatus.READY)
    body = form_data(connection.tenant, client_id=str(connection.client_id), name="Renamed")

    page.post(url("connection_edit", connection), body)
    connection.refresh_from_db()
    assert (connection.name, connection.status) == ("Renamed", ConnectionStatus.READY)

    page.post(url("connection_edit", connection), body | {"client_id": GUID})
    connection.refresh_from_db()
    assert connection.status == ConnectionStatus.UNCHECKED


def test_a_secret_is_stored_encrypted_and_never_displayed(
    page: Client, connection: ProviderConnection
) -> None:
    body = {"kind": "secret", "secret": CANARY, "expires_on": "2199-01-31"}

    assert page.post(url("connection_credential", connection), body).status_code == 302

    connection.refresh_from_db()
    assert connection.credential() == CANARY
    for path in (LIST, connection.get_absolute_url(), url("connection_credential", connection)):
        assert CANARY not in text_of(page, path)


@pytest.mark.parametrize("kind", ["secret", "certificate", "other"])
def test_an_entered_credential_is_not_displayed_after_an_error(
    page: Client, connection: ProviderConnection, kind: str
) -> None:
    body = {"kind": kind, "secret": CANARY, "pem": CANARY, "expires_on": "2026-02-30"}

    response = page.post(url("connection_credential", connection), body)

    assert response.status_code == 400
    assert CANARY not in response.content.decode()
    connection.refresh_from_db()
    assert not connection.has_credential


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * 100_000])
@pytest.mark.parametrize("kind", ["secret", "certificate"])
def test_an_invalid_credential_is_an_error_of_the_form(
    page: Client, connection: ProviderConnection, kind: str, text: str
) -> None:
    body = {"kind": kind, "secret": text, "pem": text}

    assert page.post(url("connection_credential", connection), body).status_code == 400


def test_a_key_with_its_certificate_is_accepted(
    page: Client, connection: ProviderConnection
) -> None:
    key = new_key()
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key)}

    assert page.post(url("connection_credential", connection), body).status_code == 302

    connection.refresh_from_db()
    assert connection.credential_kind == CredentialKind.CERTIFICATE
    assert connection.has_credential


def test_the_expiry_date_is_read_from_the_certificate(
    page: Client, connection: ProviderConnection
) -> None:
    key = new_key()
    expires_on = {"expires_on": "2199-01-31"}
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key, days=400)}

    page.post(url("connection_credential", connection), body | expires_on)

    connection.refresh_from_db()
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=400)
    assert connection.credential_expires_on == day


def test_an_expired_certificate_is_rejected(page: Client, connection: ProviderConnection) -> None:
    key = new_key()
    body = {"kind": "certificate", "pem": pem_of(key) + certificate_of(key, days=-1)}

    response = page.post(url("connection_credential", connection), body)

    assert response.status_code == 400
    assert "The certificate expired on" in response.content.decode()
    connection.refresh_from_db()
    assert not connection.has_credential


def test_each_error_in_a_pem_has_its_message(page: Client, connection: ProviderConnection) -> None:
    key, other = new_key(), new_key()
    messages = {
        certificate_of(key): "no readable private key",
        pem_of(key): "no readable certificate",
        pem_of(key) + certificate_of(other): "does not belong",
        pem_of(key, b"passphrase") + certificate_of(key): "is encrypted",
    }

    for pem, message in messages.items():
        body = {"kind": "certificate", "pem": pem}
        assert message in page.post(url("connection_credential", connection), body).content.decode()


def test_a_credential_that_expires_soon_or_has_expired_is_displayed(
    page: Client, connection: ProviderConnection
) -> None:
    connection.set_credential(
        CANARY, expires_on=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=9)
    )
    assert "The credential expires on" in text_of(page, connection.get_absolute_url())

    connection.set_credential(CANARY, expires_on=dt.date(2020, 1, 31))
    assert "The credential expired on" in text_of(page, connection.get_absolute_url())


def test_a_new_default_replaces_the_previous_one(
    page: Client, connection: ProviderConnection
) -> None:
    other = ProviderConnectionFactory(tenant=connection.tenant, is_default=False)

    page.post(url("connection_default", other))

    assert ProviderConnection.objects.defaults().get() == other


def test_a_connection_is_removed_with_its_credential(
    page: Client, connection: ProviderConnection
) -> None:
    connection.set_credential(CANARY)

    response = page.post(url("connection_remove", connection), REASON, follow=True)

    assert (
        f"Connection “{connection.name}” of {connection.tenant.name} removed."
        in response.content.decode()
    )
    assert not ProviderConnection.objects.exists()


def test_the_default_connection_can_be_removed_only_as_the_last_one(
    page: Client, connection: ProviderConnection
) -> None:
    other = ProviderConnectionFactory(tenant=connection.tenant, is_default=False)

    response = page.post(url("connection_remove", connection), REASON, follow=True)
    page.post(url("connection_remove", other), REASON)
    page.post(url("connection_remove", connection), REASON)

    assert "Choose another one for it first" in response.content.decode()
    assert not ProviderConnection.objects.exists()


def test_a_connection_is_not_removed_without_a_reason(
    page: Client, connection: ProviderConnection
) -> None:
    response = page.post(url("connection_remove", connection), {"reason": " "}, follow=True)

    assert "Enter a reason" in response.content.decode()
    assert ProviderConnection.objects.get() == connection


def test_the_history_says_who_removed_a_connection_and_why(
    page: Client, connection: ProviderConnection
) -> None:
    page.post(url("connection_remove", connection), REASON)

    text = text_of(page, "/w/contoso/connections/")
    assert "Connection deleted" in text
    assert "Reason: <bdi>The app was replaced</bdi>" in text


def test_removing_is_offered_only_to_managers(
    page: Client, operator: User, connection: ProviderConnection
) -> None:
    owner_page = text_of(page, connection.get_absolute_url())
    open_session(page, operator)

    assert "Remove connection" in owner_page
    assert "Remove connection" not in text_of(page, connection.get_absolute_url())


def test_the_page_and_the_list_of_tenants_show_the_connection(
    page: Client, connection: ProviderConnection
) -> None:
    assert connection.get_absolute_url() in text_of(page, connection.tenant.get_absolute_url())
    assert "Not checked yet" in text_of(page, "/w/contoso/tenants/")


def test_a_label_that_starts_with_a_name_keeps_its_capital_in_a_sentence() -> None:
    labels = {in_sentence(kind.label_plural) for kind in KIND.values()}

    assert {"Apple enrollment types", "Intune roles", "PIM role settings"} <= labels
    assert {"apps", "conditional access policies"} <= labels
