"""`ProviderConnection`: how Runledger reaches the Microsoft Graph of a tenant."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from operations.reasons import get_reason
from providers.clouds import Cloud
from redaction.known_secrets import register_secret
from tenancy.clock import request_now
from tenancy.crypto import ENVELOPE_PATTERN, Place, key_id_of, key_ring
from tenancy.db import database_now
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from web.names import validate_name

#: A warning is displayed this many days before a credential expires.
EXPIRES_SOON_DAYS = 30
#: A value of a configuration is kept this long after it was read: a backup may contain it soon, or a
#: preview compares it.
CHECK_SECRET_AFTER = dt.timedelta(days=7)


class CredentialKind(models.TextChoices):
    SECRET = "secret", "Client secret"
    CERTIFICATE = "certificate", "Certificate"


class Access(models.TextChoices):
    READ_ONLY = "read_only", "Read-only"
    READ_WRITE = "read_write", "Read and write"


class ConnectionStatus(models.TextChoices):
    """The result of the last check."""

    UNCHECKED = "unchecked", "Not checked yet"
    READY = "ready", "Ready"
    LIMITED = "limited", "Permissions missing"
    FAILING = "failing", "Failing"


class ProviderConnectionQuerySet(WorkspaceScopedQuerySet["ProviderConnection"]):
    def defaults(self) -> ProviderConnectionQuerySet:
        """Return the default connection of each tenant."""
        return self.filter(is_default=True)


class ProviderConnection(models.Model):
    """An app registration with access to a tenant.

    Its credential is stored encrypted and bound to this row. Only `credential()` decrypts it.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="connections")
    # Together with the workspace: see the composite key in the migrations.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="connections", db_constraint=False
    )
    name = models.CharField(max_length=200, validators=[validate_name])
    cloud = models.CharField(max_length=20, choices=Cloud.choices, default=Cloud.GLOBAL)
    client_id = models.UUIDField("application (client) id")
    access = models.CharField(max_length=20, choices=Access.choices, default=Access.READ_ONLY)
    #: Whether Microsoft Graph is asked for encrypted values of configurations in plain text.
    reads_encrypted_values = models.BooleanField(
        "read encrypted OMA-URI values",
        default=False,
        db_default=False,
        help_text="Backups then contain them, encrypted, and restores write them. This requires the "
        "permission DeviceManagementConfiguration.ReadWrite.All. Retention deletes a value with the "
        "last backup that contains it, also after this is switched off.",
    )
    is_default = models.BooleanField(default=False)

    credential_kind = models.CharField(
        max_length=20, choices=CredentialKind.choices, default=CredentialKind.SECRET
    )
    encrypted_credential = models.TextField(blank=True, default="", editable=False)
    credential_set_at = models.DateTimeField(null=True, editable=False)
    #: Read from a certificate; entered for a secret, because Microsoft does not give it to the app.
    credential_expires_on = models.DateField(null=True, blank=True)

    status = models.CharField(
        max_length=20, choices=ConnectionStatus.choices, default=ConnectionStatus.UNCHECKED
    )
    checked_at = models.DateTimeField(null=True, blank=True)
    #: A code of the reason catalog; empty if the last check found no problem.
    check_reason_code = models.CharField(max_length=64, blank=True, default="")
    #: The results of the last check by kind: "granted", "missing", "not_licensed" or "unknown".
    #: For write access, under "write/<kind>": "granted", "missing" or "unverified".
    check_results = models.JSONField(default=dict, blank=True)

    #: By kind: the link to what changed since the last sync, and when all objects were listed.
    delta_links = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProviderConnectionQuerySet.as_manager()

    class Meta:
        db_table = "provider_connections"
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant",),
                condition=models.Q(is_default=True),
                name="connections_one_default_per_tenant",
            ),
            models.UniqueConstraint(
                fields=("workspace", "tenant", "name"), name="connections_name_once_per_tenant"
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="connections_id_workspace"),
            models.CheckConstraint(
                condition=models.Q(encrypted_credential="")
                | models.Q(encrypted_credential__regex=ENVELOPE_PATTERN),
                name="connections_credential_is_encrypted",
            ),
            models.CheckConstraint(
                condition=models.Q(cloud__in=Cloud.values), name="connections_cloud_known"
            ),
            models.CheckConstraint(
                condition=models.Q(credential_kind__in=CredentialKind.values),
                name="connections_credential_kind_known",
            ),
            models.CheckConstraint(
                condition=models.Q(access__in=Access.values), name="connections_access_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=ConnectionStatus.values),
                name="connections_status_known",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("connection_detail", args=[self.workspace.slug, self.pk])

    # --- Credential -------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """The place that the encryption of the credential is bound to."""
        if self.pk is None:
            raise ValueError("Save the connection before its credential.")
        return Place(self.workspace_id, self.pk)

    def set_credential(self, plaintext: str, *, expires_on: dt.date | None = None) -> None:
        """Encrypt and store the client secret, or the PEM of private key and certificate.

        The connection must have been saved. The result of the last check is cleared.
        """
        register_secret(plaintext)
        self.encrypted_credential = key_ring().encrypt(plaintext, self.place)
        self.credential_set_at = database_now()
        self.credential_expires_on = expires_on
        self.clear_check()
        self.save(
            update_fields=[
                "encrypted_credential",
                "credential_set_at",
                "credential_expires_on",
                "credential_kind",
                "status",
                "checked_at",
                "check_reason_code",
                "check_results",
                "updated_at",
            ]
        )

    def clear_check(self) -> None:
        """Clear the result of the last check, without saving."""
        self.status = ConnectionStatus.UNCHECKED
        self.checked_at = None
        self.check_reason_code = ""
        self.check_results = {}

    def credential(self) -> str:
        """Decrypt the credential. Use it for signing in only.

        Raises:
            CredentialUnreadable: it is missing or cannot be decrypted.
        """
        plaintext = key_ring().decrypt(self.encrypted_credential, self.place)
        register_secret(plaintext)
        return plaintext

    @property
    def has_credential(self) -> bool:
        """Whether a credential is stored."""
        return bool(self.encrypted_credential)

    @property
    def credential_key_id(self) -> str:
        """The id of the key that encrypted the credential."""
        return key_id_of(self.encrypted_credential)

    @property
    def credential_has_expired(self) -> bool:
        """Whether the credential has expired, as far as its date is known."""
        expires_on = self.credential_expires_on
        return expires_on is not None and expires_on < request_now().date()

    @property
    def credential_expires_soon(self) -> bool:
        """Whether the credential expires within thirty days."""
        expires_on = self.credential_expires_on
        if expires_on is None or self.credential_has_expired:
            return False
        return expires_on <= request_now().date() + dt.timedelta(days=EXPIRES_SOON_DAYS)

    @property
    def credential_state(self) -> str:
        """The credential for display: "set, key v1, expires 2027-01-31"."""
        if not self.has_credential:
            return "not set"
        state = f"set, key {self.credential_key_id}"
        if self.credential_expires_on is None:
            return state
        verb = "expired" if self.credential_has_expired else "expires"
        return f"{state}, {verb} {self.credential_expires_on}"

    @property
    def check_reason(self) -> str:
        """The problem that the last check found, for display."""
        if not self.check_reason_code:
            return ""
        return get_reason(self.check_reason_code).label


class ConnectionPace(models.Model):
    """What a connection has sent recently, for all workers; see `providers.graph.pacing.Pace`."""

    connection = models.OneToOneField(
        ProviderConnection, on_delete=models.CASCADE, primary_key=True, related_name="pace"
    )
    #: Those of the connection; the database sets them.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    #: By service: the times of requests in seconds, and their numbers.
    sent = models.JSONField(default=dict, db_default={})
    #: In seconds, as `sent`: Microsoft asked to send nothing until then.
    not_before = models.FloatField(default=0.0, db_default=0.0)

    class Meta:
        db_table = "connection_paces"

    def __str__(self) -> str:
        return f"Pace of connection {self.connection_id}"


class ConfigurationSecret(models.Model):
    """An encrypted value of a configuration; see `providers.configuration_secrets`."""

    id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    #: What the value is for, such as an OMA-URI.
    setting = models.TextField()
    encrypted_value = models.TextField(editable=False)
    created_at = models.DateTimeField(db_default=Now())
    #: From when on retention deletes it, unless a backup contains it.
    check_after = models.DateTimeField(db_default=Now() + CHECK_SECRET_AFTER)

    objects = WorkspaceScopedQuerySet["ConfigurationSecret"].as_manager()

    class Meta:
        db_table = "configuration_secrets"
        default_permissions = ("view",)
        ordering = ("created_at", "id")
        indexes = (
            models.Index(fields=("tenant",), name="configuration_secrets_tenant"),
            models.Index(fields=("check_after",), name="configuration_secrets_due"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(encrypted_value__regex=ENVELOPE_PATTERN),
                name="configuration_secrets_are_encrypted",
            ),
        )

    def __str__(self) -> str:
        return f"A value of {self.setting}"

    @property
    def place(self) -> Place:
        """The place that the encryption of the value is bound to."""
        return Place(self.workspace_id, self.tenant_id, f"configuration/{self.pk}")
