"""Adding and changing a schedule, with a preview of when it would fire."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render

from backups import services
from backups.forms import PRESETS, NewScheduleForm, ScheduleForm
from backups.models import BackupSchedule
from backups.slots import next_slot, next_slots, zone_of
from backups.views.schedules import schedule_or_404
from tenancy.capabilities import require_capability
from tenancy.db import database_now
from tenancy.http import Request, form_page, workspace_or_404
from tenancy.models import TIMEZONES, Workspace
from tenancy.roles import Capability
from web.ids import parse_id

PREVIEWED = 5


@form_page
def schedule_create(request: Request, slug: str) -> HttpResponse:
    """Add a schedule to one tenant or to several."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_SCHEDULES)
    finding = "find_tenants" in request.POST
    form = NewScheduleForm(
        None if finding else request.POST or None,
        workspace=workspace,
        initial=_typed(request.POST) if finding else _asked_for(request, workspace),
        instance=BackupSchedule(workspace=workspace),
    )
    if not finding and _is_to_be_saved(request, form) and (made := _create(form)):
        many = f"{len(made):,} schedules are" if len(made) > 1 else f"“{made[0].name}” is"
        messages.success(request, f"{many} added.")
        return redirect(made[0]) if len(made) == 1 else redirect("schedule_list", workspace.slug)
    return _answer(request, workspace, form)


@form_page
def schedule_edit(request: Request, slug: str, schedule_id: int) -> HttpResponse:
    """Change a schedule. If it fires at other times then, its next slot is the first from now."""
    schedule = schedule_or_404(request, slug, schedule_id)
    require_capability(request.user, schedule.workspace, Capability.MANAGE_SCHEDULES)
    name = schedule.name
    form = ScheduleForm(request.POST or None, instance=schedule)
    if _is_to_be_saved(request, form) and _save(form):
        messages.success(request, f"“{schedule.name}” is changed.")
        return redirect(schedule)
    return _answer(request, schedule.workspace, form, schedule=schedule, schedule_name=name)


def _asked_for(request: Request, workspace: Workspace) -> dict[str, Any]:
    """What an address fills in: a preset, a tenant."""
    cron = request.GET.get("cron", "")
    known = {preset: label for label, preset in PRESETS}
    tenant_ids = [text for text in request.GET.getlist("tenant") if parse_id(text) is not None]
    return {
        "cron": cron if cron in known else PRESETS[0][1],
        "name": known.get(cron, "Nightly"),
        "timezone": workspace.timezone,
        "tenants": tenant_ids[:100],
    }


def _typed(given: QueryDict) -> dict[str, Any]:
    """What was typed so far, to be shown again without a word on what is wrong with it."""
    several = {name: given.getlist(name) for name in ("tenants", "kinds")}
    return {**given.dict(), **several, "every": "every" in given}


def _is_to_be_saved(request: Request, form: ScheduleForm) -> bool:
    return request.method == "POST" and form.is_valid() and "preview" not in request.POST


def _save(form: ScheduleForm) -> bool:
    try:
        services.save(form.instance)
    except ValidationError as error:
        form.tell(_by_field(error))
        return False
    return True


def _create(form: NewScheduleForm) -> list[BackupSchedule]:
    if not (tenants := form.chosen):
        form.tell({"every": ["Every active tenant has a schedule of this name already."]})
        return []
    try:
        return services.create_for(form.instance, tenants)
    except ValidationError as error:
        form.tell(_by_field(error))
        return []


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {"": error.messages}


def _answer(
    request: Request, workspace: Workspace, form: ScheduleForm, **more: Any
) -> HttpResponse:
    context = {
        "workspace": workspace,
        "section": "schedules",
        "form": form,
        "presets": PRESETS,
        "timezones": sorted(TIMEZONES),
        "preview": _preview(form),
        **more,
    }
    refused = form.is_bound and bool(form.errors)
    status = 400 if refused else 200
    return render(request, "backups/schedule_form.html", context, status=status)


def _preview(form: ScheduleForm) -> list[dict[str, Any]]:
    """When a schedule with these values would fire, told only where both make sense."""
    if not form.is_bound or {"cron", "timezone"} & set(form.errors):
        return []
    cron, zone = form.cleaned_data["cron"], form.cleaned_data["timezone"]
    fires = next_slots(cron, zone, next_slot(cron, zone, database_now()), PREVIEWED)
    return [
        {"slot": slot, "zone": zone, "note": _clock_change(earlier, slot, zone)}
        for earlier, slot in zip([fires[0], *fires], fires, strict=False)
    ]


def _clock_change(earlier: dt.datetime, slot: dt.datetime, zone: str) -> str:
    """What the clocks of the zone do between two slots, if anything."""
    before, after = (
        moment.astimezone(zone_of(zone)).utcoffset() or dt.timedelta() for moment in (earlier, slot)
    )
    if before == after:
        return ""
    return "clocks go forward before it" if after > before else "clocks go back before it"
