"""Factories of connections, and tenants in the Graph sandbox."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import factory

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import SandboxProcess
from providers.clouds import Cloud
from providers.graph.client import GraphClient
from providers.graph.http import Http
from providers.graph.pacing import Pacer
from providers.graph.retry import RetryPolicy
from providers.graph.tokens import MsalTokens, SignIn
from providers.models import ProviderConnection
from tests.support.factories import TenantFactory

#: Small enough to seed quickly, large enough for two pages of policies.
SIZES = {
    "settings_catalog": 28,
    "device_configuration": 8,
    "compliance": 3,
    "linux_compliance": 1,
    "conditional_access": 5,
    "named_location": 3,
    "app_protection": 4,
    "groups": 230,
}
FAST = RetryPolicy(first_wait=0.01, longest_wait=0.05)


class ProviderConnectionFactory(factory.django.DjangoModelFactory[ProviderConnection]):
    """A tenant's default connection to the Graph sandbox, without a credential."""

    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    name = factory.Sequence(lambda n: f"Connection {n}")
    cloud = Cloud.SANDBOX
    client_id = factory.LazyFunction(uuid.uuid4)
    is_default = True

    class Meta:
        model = ProviderConnection


class SandboxTenant:
    """A tenant in the Graph sandbox with an app that has every permission."""

    def __init__(self, sandbox: SandboxProcess, **options: Any) -> None:
        self.url, self.ca = sandbox.url, str(sandbox.ca)
        self.control: SandboxControl = sandbox.control
        self.tenant_id, self.client_id = uuid.uuid4(), uuid.uuid4()
        self.secret = f"sandbox~{uuid.uuid4().hex}"
        self.waits: list[tuple[float, str]] = []
        options = {"sizes": SIZES, "seed": "fabrikam", **options}
        self.control.add_tenant(self.tenant_id, self.client_id, self.secret, **options)

    @classmethod
    def existing(cls, url: str, ca: Path, **ids: Any) -> SandboxTenant:
        """A tenant that the Graph sandbox already has, by its ids and secret; without control."""
        tenant = cls.__new__(cls)
        vars(tenant).update(ids, url=url, ca=str(ca), waits=[])
        return tenant

    def sign_in(self, **changes: Any) -> SignIn:
        values: dict[str, Any] = {
            "connection": str(self.tenant_id),
            "authority": f"{self.url}/{self.tenant_id}",
            "client_id": str(self.client_id),
            "scope": f"{self.url}/.default",
            "credential": self.secret,
            "ca_bundle": self.ca,
            "trust_env": False,
        }
        return SignIn(**{**values, **changes})

    def client(
        self,
        client: type[GraphClient] = GraphClient,
        *,
        sign_in: SignIn | None = None,
        **options: Any,
    ) -> GraphClient:
        values: dict[str, Any] = {
            "base_url": self.url,
            "tokens": MsalTokens(sign_in or self.sign_in()),
            "http": Http(ca_bundle=self.ca, trust_env=False),
            "pacer": Pacer({}),
            "policy": FAST,
            "on_wait": lambda seconds, reason: self.waits.append((seconds, reason)),
        }
        return client(**{**values, **options})

    def fault(self, name: str, **options: Any) -> None:
        self.control.fault(self.tenant_id, name, **options)

    def request_counts(self) -> Counter[tuple[str, str]]:
        """The number of requests by (method, kind)."""
        return self.control.counts(self.tenant_id)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return self.control.objects(self.tenant_id, kind)
