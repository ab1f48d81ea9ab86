"""Health checks for load balancers and `make run`, without sign-in, secrets or tenants."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from operations.maintenance import health


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
