"""The pages and actions of schedules."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from backups import services
from backups.history import last_runs, last_sets, last_slots, runs_of
from backups.models import BackupSchedule, RevisionReason
from backups.skipped_days import skipped_day_text
from backups.slots import next_slots
from operations.views.start import dispatch_and_redirect, submission_of
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.forms import ReasonForm
from tenancy.http import (
    Request,
    action,
    ask_again,
    page,
    render_list,
    show_unchanged,
    try_service,
    workspace_or_404,
)
from tenancy.models import Workspace
from tenancy.roles import Capability
from web.csv_export import Columns
from web.numbered import has_rows, numbered_page

RECENT_SLOTS, RECENT_REVISIONS = 10, 20


#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "schedule": "name",
    "cron": "cron",
    "timezone": "timezone",
    "kinds": lambda schedule: " ".join(schedule.kinds),
    "next_run_at": "next_run_at",
    "paused_at": "paused_at",
    "pause_reason": "pause_reason",
}


@page
def schedule_list(request: Request, slug: str) -> HttpResponseBase:
    """The schedules of a workspace: their next runs, and the results of their last slots."""
    workspace = workspace_or_404(request, slug)
    visible = BackupSchedule.objects.visible_to(request.user).listed().filter(workspace=workspace)
    filters = ListFilter(request.GET)
    search = filters.text("Name or tenant")
    schedules = visible.filter(Q(name__icontains=search) | Q(tenant__name__icontains=search))
    if filters.errors:
        schedules = visible.none()
    ordered = schedules.with_scope().order_by("tenant__name", "name", "id")
    rows = numbered_page(ordered, request.GET.get("page"))
    context = {
        "title": "Schedules",
        "noun": "schedule",
        "filters": filters,
        "has_rows": has_rows(rows, visible),
        "page": rows,
        "rows": _rows(list(rows)),
    }
    framed = _with_frame(request, workspace, context)
    return render_list(
        request,
        "backups/schedule_list.html",
        framed,
        rows=ordered,
        columns=COLUMNS,
        errors=filters.errors,
    )


@page
def schedule_detail(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """One schedule: its next slots, its runs and its backup sets."""
    schedule = schedule_or_404(request, slug, schedule_id)
    context = {
        "schedule": schedule,
        "row": _rows([schedule])[0],
        "next_slots": next_slots(schedule.cron, schedule.timezone, schedule.next_run_at, 5),
        "skipped_day": skipped_day_text(schedule.cron, schedule.timezone),
        "runs": runs_of(schedule, 20),
        "sets": schedule.sets.newest_first()[:10],
        "revisions": schedule.revisions.select_related("changed_by", "ended_by")[:RECENT_REVISIONS],
    }
    framed = _with_frame(request, schedule.workspace, context)
    return render(request, "backups/schedule_detail.html", framed)


@action("schedule_detail", "slug", "schedule_id")
def schedule_run_now(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Start a backup, or redirect to the backup that is already active."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.START_BACKUP)
    submission = submission_of(request)
    return dispatch_and_redirect(
        request,
        lambda: services.run_now(schedule, by=request.user, submission=submission),
        blocked_to=schedule,
    )


@action("schedule_detail", "slug", "schedule_id")
def schedule_pause(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Pause the schedule."""
    schedule = _managed_or_404(request, slug, schedule_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _ask_again(request, form, schedule, "Pause schedule")
    reason = form.cleaned_data["reason"]
    try_service(
        request,
        lambda: services.pause(schedule, by=request.user, reason=reason),
        success=f"Schedule “{schedule.name}” paused. It doesn't run until resumed.",
        say_unchanged=lambda: _say_unchanged(request, schedule),
    )
    return redirect(schedule)


@action("schedule_detail", "slug", "schedule_id")
def schedule_resume(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Resume the schedule."""
    schedule = _managed_or_404(request, slug, schedule_id)
    try_service(
        request,
        lambda: services.resume(schedule, by=request.user),
        success=f"Schedule “{schedule.name}” resumed.",
        say_unchanged=lambda: _say_unchanged(request, schedule),
    )
    return redirect(schedule)


@action("schedule_detail", "slug", "schedule_id")
def schedule_delete(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Delete the schedule; its page stays and says who deleted it and why."""
    schedule = _managed_or_404(request, slug, schedule_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _ask_again(request, form, schedule, "Delete schedule")
    reason = form.cleaned_data["reason"]
    try_service(
        request,
        lambda: services.delete(schedule, by=request.user, reason=reason),
        success=f"Schedule “{schedule.name}” deleted. Its runs and backup sets stay.",
        say_unchanged=lambda: _say_unchanged(request, schedule),
    )
    return redirect(schedule)


def _say_unchanged(request: Request, schedule: BackupSchedule) -> None:
    """Say who paused, resumed or deleted it; that can have been another request of this moment."""
    schedule.refresh_from_db()
    revision = schedule.revisions.select_related("changed_by").first()
    text, at = "The schedule is not paused", None
    by: object = None
    if schedule.is_deleted:
        text = "The schedule was already deleted"
        by, at = schedule.deleted_by_name, schedule.deleted_at
    elif schedule.is_paused:
        text = "The schedule was already paused"
        by, at = schedule.paused_by, schedule.paused_at
    elif revision and revision.reason == RevisionReason.RESUMED:
        text = "The schedule was already resumed"
        by, at = revision.changed_by, revision.valid_from
    show_unchanged(request, text, schedule.workspace, by=by, at=at)


def _ask_again(
    request: Request, form: ReasonForm, schedule: BackupSchedule, button: str
) -> HttpResponse:
    return ask_again(
        request,
        form,
        workspace=schedule.workspace,
        section="schedules",
        action=button,
        back=schedule.get_absolute_url(),
        back_title=schedule.name,
    )


def _managed_or_404(request: Request, slug: str, schedule_id: int) -> BackupSchedule:
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.MANAGE_SCHEDULES)
    return schedule


def schedule_or_404(request: Request, slug: str, schedule_id: int) -> BackupSchedule:
    """Return the schedule of an address; 404 for users who are not members of its workspace."""
    schedules = BackupSchedule.objects.visible_to(request.user).with_scope()
    return get_object_or_404(schedules, workspace__slug=slug, pk=schedule_id)


def _rows(schedules: list[BackupSchedule]) -> list[dict[str, Any]]:
    """Each schedule with its last slots, its last run and its last set."""
    slots, runs = last_slots(schedules, RECENT_SLOTS), last_runs(schedules)
    sets = last_sets(schedules)
    return [
        {
            "schedule": schedule,
            "slots": slots.get(schedule.pk, []),
            "last": runs.get(schedule.pk),
            "last_set": sets.get(schedule.pk),
        }
        for schedule in schedules
    ]


def _with_frame(request: Request, workspace: Workspace, context: dict[str, Any]) -> dict[str, Any]:
    """Add what every page of schedules needs: the workspace and the permissions of the user."""
    allowed = capabilities_of(request.user, workspace)
    return context | {
        "workspace": workspace,
        "section": "schedules",
        "may_start": Capability.START_BACKUP in allowed,
        "may_manage": Capability.MANAGE_SCHEDULES in allowed,
    }
