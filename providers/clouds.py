"""The addresses of Microsoft's clouds for signing in and for Graph.

A token of one cloud is not valid in another. Source: Microsoft's documentation of national clouds;
the addresses were not tested against the live clouds.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import models

from operations.reasons import Blocked


class Cloud(models.TextChoices):
    GLOBAL = "global", "Global (and GCC)"
    GCC_HIGH = "gcc_high", "US Government L4 (GCC High)"
    DOD = "dod", "US Government L5 (DoD)"
    CHINA = "china", "China (21Vianet)"
    SANDBOX = "sandbox", "Graph sandbox"


@dataclass(frozen=True)
class Hosts:
    """Base addresses, without a slash at the end."""

    login: str
    graph: str

    @property
    def scope(self) -> str:
        """The scope of a token for the Graph of this cloud."""
        return f"{self.graph}/.default"


_HOSTS: dict[str, Hosts] = {
    Cloud.GLOBAL: Hosts("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    Cloud.GCC_HIGH: Hosts("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    Cloud.DOD: Hosts("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    # MSAL calls the older login.chinacloudapi.cn deprecated.
    Cloud.CHINA: Hosts(
        "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"
    ),
}


def hosts_of(cloud: str) -> Hosts:
    """Return the hosts of a cloud; those of the Graph sandbox come from `GRAPH_SANDBOX_URL`.

    Raises:
        Blocked: `cloud_not_available`.
    """
    if cloud == Cloud.SANDBOX and settings.GRAPH_SANDBOX_URL:
        url = settings.GRAPH_SANDBOX_URL.rstrip("/")
        return Hosts(login=url, graph=url)
    if cloud not in _HOSTS:
        raise Blocked("cloud_not_available", cloud=cloud)
    return _HOSTS[cloud]


def admin_consent_url(cloud: str, tenant_id: object, client_id: object) -> str:
    """Return the address for admin consent to the app; empty for the Graph sandbox."""
    if cloud not in _HOSTS:
        return ""
    return f"{_HOSTS[cloud].login}/{tenant_id}/adminconsent?client_id={client_id}"


def available_clouds() -> list[tuple[str, str]]:
    """Return the choices of a form; the Graph sandbox is one only where it is configured."""
    return [
        (value, label)
        for value, label in Cloud.choices
        if value != Cloud.SANDBOX or settings.GRAPH_SANDBOX_URL
    ]
