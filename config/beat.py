"""Beat's scheduler, for hosts whose clocks are wrong or are corrected."""

from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    """Sends each entry once per interval, also after the clock was set back.

    Celery's scheduler would wait until the clock reaches the former time again.
    """

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due, and return the seconds until the next entry is due."""
        entries: list[Any] = list(self.schedule.values())
        if any(entry.last_run_at > entry.default_now() for entry in entries):
            self._count_from_now()
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def _count_from_now(self) -> None:
        """Start every interval now and compute the order of the entries again."""
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now()
        self._heap = None
