"""Beat's scheduler, for hosts whose clocks are wrong or are put right."""

from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    """Sends each entry once an interval, also after the clock was set back.

    Celery's own would wait until the clock is again where it was, and its entries have no other.
    """

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due; the seconds until something is due again."""
        entries: list[Any] = list(self.schedule.values())
        if any(entry.last_run_at > entry.default_now() for entry in entries):
            self._count_from_now()
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def _count_from_now(self) -> None:
        """Let every interval begin now; the order in which they end is found anew."""
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now()
        self._heap = None
