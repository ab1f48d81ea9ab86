"""Health checks for load balancers and `make run`, and metrics, without sign-in, secrets or names."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET, require_safe

from operations.maintenance import health
from web.client_address import client_address


@require_GET
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, broker, worker and beat work together, else 503 with reasons."""
    report = health.check_health()
    return JsonResponse(report, status=200 if report["status"] == "ok" else 503)


@require_GET
@login_not_required
def livez(request: HttpRequest) -> JsonResponse:
    """Answer 200 while this web process works, whatever the other processes do."""
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics in the format of Prometheus, to a client with the token in a network.

    Without a token and networks in the settings, there is no such page.
    """
    if not (settings.METRICS_TOKEN or settings.METRICS_NETWORKS):
        raise Http404
    if settings.METRICS_NETWORKS and not _is_in_a_network(client_address(request)):
        return HttpResponse("Not from this address.\n", status=403, content_type="text/plain")
    if settings.METRICS_TOKEN and not _has_token(request.headers.get("Authorization", "")):
        return HttpResponse(
            "Send the token: Authorization: Bearer …\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    # Other processes and requests do without its library.
    from operations.metrics.collector import render_metrics  # noqa: PLC0415

    body, content_type = render_metrics(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _is_in_a_network(address: str | None) -> bool:
    if not address:
        return False
    parsed = ip_address(address)
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in settings.METRICS_NETWORKS)


def _has_token(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(
        token.strip(), settings.METRICS_TOKEN
    )
