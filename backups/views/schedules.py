"""The pages of schedules, and what can be done with one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from backups import services
from backups.history import last_runs, last_slots, runs_of
from backups.models import BackupSchedule
from backups.slots import next_slots
from operations.reasons import Blocked
from operations.views.start import redirect_to_dispatch, submission_of
from redaction.text import sanitize_text
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.filtering import Asked
from tenancy.http import Request, action, page, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from web.numbered import numbered_page

STRIP = 14


@page
def schedule_list(request: Request, slug: str) -> HttpResponse:
    """Every schedule of a workspace: when it fires, and how its last slots went."""
    workspace = workspace_or_404(request, slug)
    asked = Asked(request.GET)
    search = asked.text()
    visible = BackupSchedule.objects.visible_to(request.user).filter(workspace=workspace)
    found = visible.filter(Q(name__icontains=search) | Q(tenant__name__icontains=search))
    ordered = found.with_scope().order_by("tenant__name", "name", "id")
    rows = ordered.none() if asked.errors else ordered
    shown = numbered_page(rows, request.GET.get("page"))
    context = {"page": shown, "rows": _rows(list(shown)), "search": search, "errors": asked.errors}
    framed = _with_frame(request, workspace, context)
    status = 400 if asked.errors else 200
    return render(request, "backups/schedule_list.html", framed, status=status)


@page
def schedule_detail(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """One schedule: its next slots, its runs, its sets."""
    schedule = schedule_or_404(request, slug, schedule_id)
    fires = next_slots(schedule.cron, schedule.timezone, schedule.next_run_at, 5)
    context = {
        "schedule": schedule,
        "row": _rows([schedule])[0],
        "next_slots": fires,
        "runs": runs_of(schedule, 20),
        "sets": schedule.sets.newest_first()[:10],
    }
    framed = _with_frame(request, schedule.workspace, context)
    return render(request, "backups/schedule_detail.html", framed)


@action
def schedule_run_now(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Back up now, or lead to the backup that is active already."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.START_BACKUP)
    try:
        result = services.run_now(schedule, by=request.user, submission=submission_of(request))
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect(schedule)
    return redirect_to_dispatch(request, result)


@action
def schedule_pause(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Let the schedule rest."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.MANAGE_SCHEDULES)
    reason = sanitize_text(request.POST.get("reason", ""), max_length=300)
    services.pause(schedule, by=request.user, reason=reason)
    messages.success(request, f"“{schedule.name}” is paused. No slot fires until it is resumed.")
    return redirect(schedule)


@action
def schedule_resume(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Let the schedule fire again."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.MANAGE_SCHEDULES)
    services.resume(schedule, by=request.user)
    messages.success(request, f"“{schedule.name}” fires again from its next slot on.")
    return redirect(schedule)


def schedule_or_404(request: Request, slug: str, schedule_id: int) -> BackupSchedule:
    """The schedule of an address; for strangers it does not exist."""
    schedules = BackupSchedule.objects.visible_to(request.user).with_scope()
    return get_object_or_404(schedules, workspace__slug=slug, pk=schedule_id)


def _rows(schedules: list[BackupSchedule]) -> list[dict[str, Any]]:
    """What the list shows of each schedule."""
    slots, runs = last_slots(schedules, STRIP), last_runs(schedules)
    return [
        {"schedule": schedule, "slots": slots.get(schedule.pk, []), "last": runs.get(schedule.pk)}
        for schedule in schedules
    ]


def _with_frame(request: Request, workspace: Workspace, context: dict[str, Any]) -> dict[str, Any]:
    """What every page of schedules needs besides: the workspace, and what the person may do."""
    allowed = capabilities_of(request.user, workspace)
    return context | {
        "workspace": workspace,
        "section": "schedules",
        "may_start": Capability.START_BACKUP in allowed,
        "may_manage": Capability.MANAGE_SCHEDULES in allowed,
    }
