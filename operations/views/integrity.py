"""Whether the ledger keeps its promises: for staff, who see every workspace in the admin anyway."""

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
    """Every invariant: the promise, when it was last checked, and what breaks it."""
    _staff_only(request)
    results = InvariantResult.objects.in_bulk()
    rows = [_row(invariant, results.get(invariant.name)) for invariant in invariants()]
    context = {"section": "integrity", "rows": rows, "broken": _broken(rows)}
    return render(request, "operations/ledger_integrity.html", context)


@action
def ledger_check(request: Request) -> HttpResponse:
    """Check now, and show what was found."""
    _staff_only(request)
    broken = sum(not result.is_kept for result in check_ledger())
    if broken:
        messages.error(request, f"{broken} of the promises are not kept; see below.")
    else:
        messages.success(request, "Every promise is kept.")
    return redirect("ledger_integrity")


def _staff_only(request: Request) -> None:
    if not request.user.is_staff:
        raise PermissionDenied


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


def _broken(rows: list[dict[str, Any]]) -> int:
    return sum(1 for row in rows if row["result"] and not row["result"].is_kept)
