"""Measures how much parallel sign-ins slow down the other pages; prints a ratio.

    python -m dev.bench.sign_in [--url http://localhost:8000] [--parallel 16] [--seconds 15]

One browser opens the list of runs again and again, alone and while others sign in with the right
password as fast as they can; who is asked to try again later does so. The phases alternate, so that other load on the machine affects both.
It creates a user, and removes it at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import uuid
from collections import Counter
from statistics import median

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

import httpx2  # noqa: E402
from axes.models import AccessLog  # noqa: E402

from tenancy.models import User  # noqa: E402

ROUNDS = 3
PASSWORD = uuid.uuid4().hex


class SignIns:
    """Browsers that sign in at the same time, until they are stopped."""

    def __init__(self, url: str, username: str, parallel: int) -> None:
        self.url, self.username = url, username
        self.statuses: Counter[int] = Counter()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._sign_in) for _ in range(parallel)]

    def __enter__(self) -> SignIns:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _sign_in(self) -> None:
        while not self._stopping.is_set():
            with httpx2.Client(base_url=self.url, timeout=60) as browser:
                answer = sign_in(browser, self.username)
            self.statuses[answer.status_code] += 1
            self._stopping.wait(float(answer.headers.get("Retry-After", 0)))


def sign_in(browser: httpx2.Client, username: str) -> httpx2.Response:
    """Sign in with the form."""
    browser.get("/sign-in/")
    fields = {
        "username": username,
        "password": PASSWORD,
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
    }
    return browser.post("/sign-in/", data=fields)


def seconds_per_page(browser: httpx2.Client, seconds: float) -> list[float]:
    """Open the list of runs for some seconds; return how long each time took."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        browser.get("/runs/").raise_for_status()
        times.append(time.perf_counter() - started)
    return times


def measure(url: str, username: str, parallel: int, seconds: float) -> None:
    idle, busy, statuses = [], [], Counter[int]()
    with httpx2.Client(base_url=url, timeout=60) as browser:
        sign_in(browser, username)
        seconds_per_page(browser, 1)
        for _ in range(ROUNDS):
            idle += seconds_per_page(browser, seconds / ROUNDS)
            with SignIns(url, username, parallel) as sign_ins:
                busy += seconds_per_page(browser, seconds / ROUNDS)
            statuses += sign_ins.statuses
    sys.stdout.write(
        f"a page during {parallel} parallel sign-ins   {median(busy) / median(idle):6.2f} x\n"
        f"the slowest of ten                   {slow(busy) / slow(idle):6.2f} x\n"
        f"sign-ins: {statuses[302]} succeeded, {statuses[503]} were asked to try again\n"
    )


def slow(times: list[float]) -> float:
    """Return the time that nine of ten do not exceed."""
    return sorted(times)[int(len(times) * 0.9)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=f"http://localhost:{os.environ.get('PORT') or 8000}")
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    user = User.objects.create_user(f"bench-{uuid.uuid4().hex[:12]}", password=PASSWORD)
    try:
        measure(options.url, user.username, options.parallel, options.seconds)
    finally:
        AccessLog.objects.filter(username=user.username).delete()
        user.delete()


if __name__ == "__main__":
    main()
