"""The invariants of schedules for the check of the ledger."""

from __future__ import annotations

import datetime as dt

from cronsim import CronSimError
from django.db import connection
from django.db.models import Q
from django.urls import reverse

from backups.models import ScheduleRevision, TimeZoneRules
from backups.slots import rules_version, slots_between
from operations.context import format_slot
from operations.maintenance.integrity import Invariant, register_invariant
from tenancy.db import database_now

#: The period that is checked, and the number of slots of each schedule.
WINDOW = dt.timedelta(days=2)
MAX_SLOTS = 500
#: A tick that is later than this after a slot and its spread is an error.
LATE_AFTER = dt.timedelta(minutes=10)

Ranges = list[tuple[str, str]]


def unexplained_schedules() -> list[int]:
    """Return the ids of schedules with a slot that no run started or explains.

    The revisions say which slots there were, also before changes and pauses. Slots by earlier rules
    of time zones are not computed again.
    """
    now = database_now()
    start = now - WINDOW
    rules = TimeZoneRules.objects.filter(version=rules_version()).first()
    rules_since = rules.applied_at if rules else now
    recorded = _recorded_slots(start)
    revisions = ScheduleRevision.objects.select_related("schedule").order_by(
        "schedule_id", "number"
    )
    is_in_window = Q(valid_until=None) | Q(valid_until__gt=start, rules_version=rules_version())
    unexplained: dict[int, None] = {}
    for revision in revisions.filter(is_in_window):
        since = max(start, revision.valid_from)
        if revision.rules_version != rules_version():
            since = max(since, rules_since)
        if not _is_explained(revision, recorded.get(str(revision.schedule_id), []), since, now):
            unexplained[revision.schedule_id] = None
    return list(unexplained)


def _is_explained(
    revision: ScheduleRevision, recorded: Ranges, since: dt.datetime, now: dt.datetime
) -> bool:
    """Whether every slot of a revision later than `since` is in one of the recorded ranges.

    Of an open revision, slots count as soon as they are settled or a tick is late.
    """
    schedule = revision.schedule
    until = revision.valid_until or max(schedule.settled_until, now - schedule.spread - LATE_AFTER)
    try:
        expected = slots_between(revision.cron, revision.timezone, since, until, MAX_SLOTS)
    except (ValueError, CronSimError):
        # The times are invalid, such as those of another version. The end of the revision said so.
        return revision.valid_until is not None
    # UTC minutes sort as text in the same order as in time.
    slots = [format_slot(slot) for slot in expected]
    return all(any(first <= slot <= last for first, last in recorded) for slot in slots)


_RECORDED = """
SELECT context->>'backup_schedule_id', LEAST(context #>> '{missed,first}', context->>'scheduled_for'),
       GREATEST(context->>'scheduled_for', context #>> '{repeated,last}')
FROM operation_runs WHERE type = 'backup_schedule.scheduled' AND created_at > %(start)s
UNION ALL
SELECT schedule.id::text, run.context->>'scheduled_for', run.context #>> '{repeated,last}'
FROM backup_schedules schedule CROSS JOIN LATERAL (
    SELECT context FROM operation_runs
    WHERE type = 'backup_schedule.scheduled'
      AND context->>'backup_schedule_id' = schedule.id::text
      AND context->>'scheduled_for' <= %(slot)s
    ORDER BY context->>'scheduled_for' DESC LIMIT 1) run
WHERE run.context ? 'repeated'
"""


def _recorded_slots(start: dt.datetime) -> dict[str, Ranges]:
    """The ranges of slots that runs record, by schedule id; most contain one slot.

    A blocked run from before `start` can stand for slots after it.
    """
    by_schedule: dict[str, Ranges] = {}
    slot = format_slot(start.replace(second=0, microsecond=0))
    with connection.cursor() as cursor:
        cursor.execute(_RECORDED, {"start": start - WINDOW, "slot": slot})
        for schedule_id, first, last in cursor.fetchall():
            by_schedule.setdefault(schedule_id, []).append((first, last))
    return by_schedule


register_invariant(
    Invariant(
        "slot_fired_once",
        "A slot of a schedule has at most one run.",
        "SELECT unnest(array_agg(id)) AS id FROM operation_runs"
        " WHERE type = 'backup_schedule.scheduled' AND created_at > now() - %(recent)s"
        " GROUP BY context->>'backup_schedule_id', context->>'scheduled_for' HAVING count(*) > 1",
    )
)
register_invariant(
    Invariant(
        "every_slot_is_explained",
        "Every slot of a schedule has a run that started or records why it did not.",
        unexplained_schedules,
        noun="Schedule",
        address=lambda pk: reverse("admin:backups_backupschedule_change", args=[pk]),
    )
)
register_invariant(
    Invariant(
        "schedules_match_revisions",
        "A schedule has an open revision with its times if and only if it is not paused.",
        "SELECT schedule.id FROM backup_schedules schedule"
        " LEFT JOIN backup_schedule_revisions revision"
        " ON revision.schedule_id = schedule.id AND revision.valid_until IS NULL"
        " WHERE (schedule.paused_at IS NULL) <> (revision.id IS NOT NULL)"
        " OR (schedule.cron, schedule.timezone) <> (revision.cron, revision.timezone)",
        noun="Schedule",
        address=lambda pk: reverse("admin:backups_backupschedule_change", args=[pk]),
    )
)
register_invariant(
    Invariant(
        "freshness_matches_sets",
        "The freshness of a tenant is that of its backup sets.",
        "SELECT tenant.id FROM tenants tenant"
        " LEFT JOIN backup_freshness freshness ON freshness.tenant_id = tenant.id"
        " WHERE freshness.last_complete_at IS DISTINCT FROM ("
        "  SELECT ended_at FROM backup_sets backup_set"
        "  WHERE backup_set.workspace_id = tenant.workspace_id AND tenant_id = tenant.id"
        "  AND backup_set.status = 'complete' AND purpose = 'schedule'"
        "  ORDER BY ended_at DESC LIMIT 1)"
        " OR COALESCE(freshness.latest_status, '') <> COALESCE(("
        "  SELECT backup_set.status FROM backup_sets backup_set"
        "  WHERE tenant_id = tenant.id AND backup_set.status <> 'building'"
        "  AND purpose = 'schedule' ORDER BY started_at DESC, id DESC LIMIT 1), '')",
        noun="Tenant",
        address=lambda pk: reverse("admin:tenancy_tenant_change", args=[pk]),
    )
)
