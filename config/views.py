"""Answers for load balancers and for `make run`: no sign-in, no secret, no tenant."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from operations.maintenance import health


@require_GET
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """200 once database, broker, worker and beat all work together; 503 with the reasons else."""
    report = health.check_health()
    return JsonResponse(report, status=200 if report["status"] == "ok" else 503)


@require_GET
@login_not_required
def livez(request: HttpRequest) -> JsonResponse:
    """200 while this web process answers, whatever the rest does."""
    return JsonResponse({"status": "ok"})
