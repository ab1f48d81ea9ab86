"""Which version of time-zone rules the schedules follow, while processes of two versions run."""

from __future__ import annotations

from django.db import connection

from backups.slots import rules_version

#: After a rollback, processes with older rules take over when none with newer rules has ticked for
#: this long.
TAKE_OVER_AFTER_SECONDS = 600

_ACQUIRE = """
INSERT INTO backup_time_zone_rules AS rules (id, version, applied_at, last_tick_at)
VALUES (1, %(version)s, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET version = excluded.version, last_tick_at = excluded.last_tick_at,
    applied_at = CASE WHEN rules.version = excluded.version THEN rules.applied_at
                 ELSE excluded.applied_at END
-- Versions sort as text: 2026f, 2026g, 2027a.
WHERE rules.version COLLATE "C" <= excluded.version
   OR rules.last_tick_at < excluded.last_tick_at - make_interval(secs => %(take_over_after)s)
RETURNING 1
"""


def acquire_rules() -> bool:
    """Return whether the rules of this process count, and record their version.

    The newest version counts, so that a process that still has older rules reverts nothing during
    an update.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ACQUIRE, {"version": rules_version(), "take_over_after": TAKE_OVER_AFTER_SECONDS}
        )
        return cursor.fetchone() is not None
