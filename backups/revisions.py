"""The revisions of schedules: which times counted from when until when, and why they changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import connection

from backups.models import BackupSchedule, RevisionReason
from tenancy.models import User

_END_REVISIONS = """
UPDATE backup_schedule_revisions revision
SET valid_until = GREATEST(revision.valid_from, schedule.settled_until),
    end_reason = %(reason)s, ended_by_id = %(by)s
FROM backup_schedules schedule
WHERE schedule.id = revision.schedule_id AND revision.valid_until IS NULL
  AND schedule.id = ANY(%(ids)s)
"""

_START_REVISIONS = """
INSERT INTO backup_schedule_revisions (
    schedule_id, number, cron, timezone, rules_version, valid_from, reason, changed_by_id,
    old_next_slot, new_next_slot)
SELECT schedule.id, COALESCE(latest.number, 0) + 1, schedule.cron, schedule.timezone,
       schedule.rules_version, GREATEST(schedule.settled_until, latest.valid_until), %(reason)s,
       %(by)s, changed.old_next_slot,
       CASE WHEN changed.old_next_slot IS NOT NULL THEN schedule.next_run_at END
FROM unnest(%(ids)s::bigint[], %(old_next_slots)s::timestamptz[]) AS changed(id, old_next_slot)
JOIN backup_schedules schedule ON schedule.id = changed.id
LEFT JOIN LATERAL (
    SELECT number, valid_until FROM backup_schedule_revisions revision
    WHERE revision.schedule_id = schedule.id ORDER BY number DESC LIMIT 1) latest ON true
WHERE schedule.paused_at IS NULL
RETURNING schedule_id, number
"""


def record_revisions(
    schedules: Sequence[BackupSchedule],
    reason: RevisionReason,
    *,
    by: User | None = None,
    old_next_slots: Mapping[int, dt.datetime | None] | None = None,
) -> None:
    """End the open revisions of stored schedules where they are settled, and start the next ones.

    The slots up to `settled_until` belong to the old times, and later ones to the new times. A
    paused schedule gets no new revision. The caller has locked and stored the schedules.

    Args:
        old_next_slots: by schedule id, the next slots before an update of time-zone rules.
    """
    ids = [schedule.pk for schedule in schedules]
    old_next_slots = old_next_slots or {}
    values = {
        "reason": reason.value,
        "by": by.pk if by else None,
        "ids": ids,
        "old_next_slots": [old_next_slots.get(schedule_id) for schedule_id in ids],
    }
    with connection.cursor() as cursor:
        cursor.execute(_END_REVISIONS, values)
        cursor.execute(_START_REVISIONS, values)
        numbers = dict(cursor.fetchall())
    for schedule in schedules:
        schedule.current_revision = numbers.get(schedule.pk)
