"""Beat's scheduler, for hosts whose clocks are wrong or are corrected."""

from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    """Sends each entry once per interval, also after the clock was set back.

    Celery's scheduler would wait until the clock reaches the former time again.
    """

    schedule_filename: str  # the types of Celery lack it

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due, and return the seconds until the next entry is due."""
        entries: list[Any] = list(self.schedule.values())
        if any(entry.last_run_at > entry.default_now() for entry in entries):
            self._count_from_now()
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def apply_async(self, *arguments: Any, **options: Any) -> Any:
        """Send a task, and update the file that the health check of beat looks at.

        The schedule file does not show it: it is written every three minutes, and Berkeley DB (the
        dbm of Debian's Python) keeps even that in memory.
        """
        result = super().apply_async(*arguments, **options)
        Path(f"{self.schedule_filename}.sent").touch()
        return result

    def _count_from_now(self) -> None:
        """Start every interval now and compute the order of the entries again."""
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now()
        self._heap = None
