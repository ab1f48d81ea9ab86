"""The forms of connections. A credential can be entered but is never displayed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from providers.clouds import available_clouds
from providers.models import CredentialKind, ProviderConnection
from providers.pem import InvalidPem, expiry_of
from tenancy.clock import request_now
from tenancy.forms import GuidField
from tenancy.models import Tenant, Workspace
from web.ids import parse_id

LAST_YEAR = 2199


class WriteOnlyTextarea(forms.Textarea):
    """A text area that never displays the entered value, not even after an error."""

    def format_value(self, value: Any) -> str:
        return ""


class ConnectionForm(forms.ModelForm[ProviderConnection]):
    """The app registration of a connection, without its credential."""

    client_id = GuidField(
        label="Application (client) ID",
        help_text="See the overview of the app registration in the Microsoft Entra admin center.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = ProviderConnection
        fields = ("name", "cloud", "client_id", "access", "reads_encrypted_values")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cloud"] = forms.ChoiceField(label="Cloud", choices=available_clouds())


class TenantField(forms.CharField):
    """The tenant of a new connection; its value is the id."""

    tenants = Tenant.objects.none()

    def clean(self, value: Any) -> Any:
        tenant_id = parse_id(str(super().clean(value)))
        tenant = None if tenant_id is None else self.tenants.filter(pk=tenant_id).first()
        if tenant is None:
            raise ValidationError("Select one of the tenants.")
        return tenant


class NewConnectionForm(ConnectionForm):
    """A new connection of a tenant in the workspace."""

    tenant = TenantField(label="Tenant")
    field_order = ("tenant", *ConnectionForm.Meta.fields)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = Tenant.objects.listed().filter(workspace=workspace)
        field = self.fields["tenant"]
        field.tenants = tenants  # type: ignore[attr-defined]
        choices = [("", "Select a tenant"), *tenants.values_list("pk", "name")]
        field.widget = forms.Select({"class": "form-select"}, choices=choices)


class CredentialForm(forms.Form):
    """A new client secret, or the PEM of a private key and its certificate."""

    kind = forms.ChoiceField(label="Kind", choices=CredentialKind.choices)
    secret = forms.CharField(
        label="Client secret",
        required=False,
        max_length=1000,
        help_text="Enter the value of the secret, not its ID. It is encrypted and never shown again.",
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    pem = forms.CharField(
        label="Private key and certificate (PEM)",
        required=False,
        max_length=40_000,
        help_text="Paste both together. The key must not have a passphrase.",
        widget=WriteOnlyTextarea(
            {"autocomplete": "off", "spellcheck": "false", "rows": "6", "data-secret": ""}
        ),
    )
    expires_on = forms.DateField(
        label="Expires on (optional)",
        required=False,
        input_formats=["%Y-%m-%d"],
        help_text="For a client secret; a certificate contains its own date. Runledger warns you 30 days before.",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a date in the format YYYY-MM-DD, such as 2027-03-08."},
    )

    def clean_expires_on(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["expires_on"]
        if day and not request_now().date() <= day <= dt.date(LAST_YEAR, 12, 31):
            raise ValidationError(f"Enter a date from today through {LAST_YEAR}-12-31.")
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        field = "pem" if data.get("kind") == CredentialKind.CERTIFICATE else "secret"
        if field in self.errors:
            return data
        if not data.get(field):
            self.add_error(field, "Enter the new credential.")
        elif field == "pem":
            try:
                data["expires_on"] = expiry_of(data["pem"])
            except InvalidPem as error:
                self.add_error("pem", str(error))
        return data

    @property
    def plaintext(self) -> str:
        """The credential that was entered."""
        is_certificate = self.cleaned_data["kind"] == CredentialKind.CERTIFICATE
        return str(self.cleaned_data["pem" if is_certificate else "secret"])
