"""The results of the ledger check, for staff only: they see every workspace in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render

from operations.maintenance.integrity import Invariant, check_ledger, invariants
from operations.models import InvariantResult
from tenancy.http import Request, action, page


@page
def ledger_integrity(request: Request) -> HttpResponse:
    """Every invariant: its promise, its last check, and the rows that violate it."""
    _staff_only(request)
    results = InvariantResult.objects.in_bulk()
    rows = [_row(invariant, results.get(invariant.name)) for invariant in invariants()]
    violated = sum(1 for row in rows if row["result"] and not row["result"].is_kept)
    context = {"section": "integrity", "rows": rows, "violated": violated}
    return render(request, "operations/ledger_integrity.html", context)


@action("ledger_integrity")
def ledger_check(request: Request) -> HttpResponse:
    """Run the ledger check and show the results."""
    _staff_only(request)
    violated = sum(not result.is_kept for result in check_ledger())
    if violated:
        messages.error(request, f"Ledger check completed: {violated} violated. See the list below.")
    else:
        messages.success(request, "Ledger check completed: no violations.")
    return redirect("ledger_integrity")


def _staff_only(request: Request) -> None:
    if not request.user.is_staff:
        raise PermissionDenied("Only staff can check the ledger.")


def _row(invariant: Invariant, result: InvariantResult | None) -> dict[str, Any]:
    offenders = result.offenders if result else []
    return {
        "promise": invariant.promise,
        "name": invariant.name,
        "result": result,
        "offenders": [
            (f"{invariant.noun} {offender}", invariant.address(offender)) for offender in offenders
        ],
        "more": result.count - len(offenders) if result else 0,
    }
