"""Add and edit a schedule, with a preview of its next runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect

from backups import services
from backups.forms import PRESETS, NewScheduleForm, ScheduleForm
from backups.models import BackupSchedule
from backups.skipped_days import skipped_day_text
from backups.slots import next_slot, next_slots, zone_of
from backups.views.schedules import schedule_or_404
from tenancy.capabilities import require_capability
from tenancy.clock import request_now
from tenancy.http import Request, form_page, render_checked, workspace_or_404
from tenancy.models import TIMEZONES, User, Workspace
from tenancy.roles import Capability
from web.ids import parse_id

PREVIEW_SLOTS = 5


@form_page
def schedule_create(request: Request, slug: str) -> HttpResponse:
    """Add a schedule to one tenant or to several."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_SCHEDULES)
    data, initial = request.POST or None, _defaults(request, workspace)
    if "find_tenants" in request.POST:
        # Show the entered values again without validation.
        lists = {name: request.POST.getlist(name) for name in ("tenants", "kinds")}
        data, initial = None, {**request.POST.dict(), **lists, "every": "every" in request.POST}
    schedule = BackupSchedule(workspace=workspace)
    form = NewScheduleForm(data, workspace=workspace, initial=initial, instance=schedule)
    if _can_save(request, form) and (schedules := _create(form, request.user)):
        if len(schedules) == 1:
            messages.success(request, f"Schedule “{schedules[0].name}” added.")
            return redirect(schedules[0])
        messages.success(request, f"{len(schedules):,} schedules added.")
        return redirect("schedule_list", workspace.slug)
    return _render_form(request, workspace, form)


@form_page
def schedule_edit(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Edit a schedule. If its times change, its next slot is the first one from now."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.MANAGE_SCHEDULES)
    if schedule.is_deleted:
        return redirect(schedule)
    name = schedule.name
    form = ScheduleForm(request.POST or None, instance=schedule)
    if _can_save(request, form) and _save(form, request.user):
        messages.success(request, f"Schedule “{schedule.name}” saved.")
        return redirect(schedule)
    return _render_form(request, schedule.workspace, form, schedule=schedule, schedule_name=name)


def _defaults(request: Request, workspace: Workspace) -> dict[str, Any]:
    """The initial values of a new schedule: a preset and tenants from the address."""
    cron = request.GET.get("cron", "")
    labels = {preset: label for label, preset in PRESETS}
    tenant_ids = [text for text in request.GET.getlist("tenant") if parse_id(text) is not None]
    return {
        "cron": cron if cron in labels else PRESETS[0][1],
        "name": labels.get(cron, "Nightly"),
        "timezone": workspace.timezone,
        "tenants": tenant_ids[:100],
    }


def _can_save(request: Request, form: ScheduleForm) -> bool:
    return request.method == "POST" and form.is_valid() and "preview" not in request.POST


def _save(form: ScheduleForm, by: User) -> bool:
    try:
        services.save(form.instance, by=by)
    except ValidationError as error:
        form.add_errors(_by_field(error))
        return False
    return True


def _create(form: NewScheduleForm, by: User) -> list[BackupSchedule]:
    if not (tenants := form.selected_tenants):
        form.add_errors({"every": ["Every active tenant already has a schedule with this name."]})
        return []
    try:
        return services.create_for(form.instance, tenants, by=by)
    except ValidationError as error:
        form.add_errors(_by_field(error))
        return []


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {"": error.messages}


def _render_form(
    request: Request, workspace: Workspace, form: ScheduleForm, **extra: Any
) -> HttpResponse:
    context = {
        "workspace": workspace,
        "section": "schedules",
        "form": form,
        "presets": PRESETS,
        "timezones": sorted(TIMEZONES),
        **_preview(form),
        **extra,
    }
    errors = form.is_bound and form.errors
    return render_checked(request, "backups/schedule_form.html", context, errors=errors)


def _preview(form: ScheduleForm) -> dict[str, Any]:
    """The next slots of a schedule with these values; none if its times are invalid."""
    if not form.is_bound or {"cron", "timezone"} & set(form.errors):
        return {}
    cron, zone = form.cleaned_data["cron"], form.cleaned_data["timezone"]
    slots = next_slots(cron, zone, next_slot(cron, zone, request_now()), PREVIEW_SLOTS)
    runs = [
        {"slot": slot, "zone": zone, "note": _clock_change(earlier, slot, zone)}
        for earlier, slot in zip([slots[0], *slots], slots, strict=False)
    ]
    return {"preview": runs, "skipped_day": skipped_day_text(cron, zone)}


def _clock_change(earlier: dt.datetime, slot: dt.datetime, zone: str) -> str:
    """Describe a clock change of the time zone between two slots, if there is one."""
    before, after = earlier.astimezone(zone_of(zone)), slot.astimezone(zone_of(zone))
    change = (after.utcoffset() or dt.timedelta()) - (before.utcoffset() or dt.timedelta())
    if not change:
        return ""
    if change > dt.timedelta():
        return "after clocks go forward"
    return "after clocks go back"
