"""How passwords are hashed, and how many of them a web process checks at the same time.

A hash is expensive on purpose. Without a limit, some parallel sign-ins occupy every thread and
every core, and no other page answers.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from typing import TypeVar

from django.conf import settings
from django.contrib.auth import hashers
from django.http import HttpRequest, HttpResponse

from tenancy.http import render_error, try_again_later

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How long a sign-in waits for those before it.
WAIT_SECONDS = 3
#: The priority of the threads that hash; 0 is that of pages, 19 the lowest.
NICENESS = 10
#: When a browser may try again.
RETRY_AFTER_SECONDS = 5


class TooManyPasswords(Exception):
    """This process is checking other passwords, and enough requests wait already."""


class PasswordSlots:
    """The slots of a process for checking passwords, and the places of those that wait."""

    def __init__(self, *, slots: int, places: int) -> None:
        self._slots = BoundedSemaphore(slots)
        self._admitted = BoundedSemaphore(slots + places)
        self._threads = ThreadPoolExecutor(
            slots, thread_name_prefix="passwords", initializer=_lower_priority
        )

    def run(self, check: Callable[[], T]) -> T:
        """Wait for a slot, and return the result of a check.

        Raises:
            TooManyPasswords: no place is free, or no slot became free in time.
        """
        if not self._admitted.acquire(blocking=False):
            raise TooManyPasswords
        try:
            if not self._slots.acquire(timeout=WAIT_SECONDS):
                raise TooManyPasswords
            try:
                return self._threads.submit(check).result()
            finally:
                self._slots.release()
        finally:
            self._admitted.release()


def _lower_priority() -> None:
    """Let the threads of pages go first: on Linux, each thread has its own priority."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        current = os.getpriority(os.PRIO_PROCESS, thread)
        # Only root may raise a priority.
        os.setpriority(os.PRIO_PROCESS, thread, max(current, NICENESS))


@functools.cache
def password_slots() -> PasswordSlots:
    """Return the slots of this process."""
    return PasswordSlots(slots=settings.PASSWORD_CHECKS, places=settings.PASSWORD_CHECKS_WAITING)


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id with 64 MiB and two passes: more than OWASP's minimum, and 0.1 s on a small server.

    One lane, because a hash of Django's eight would occupy every core.
    """

    time_cost = 2
    memory_cost = 64 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return password_slots().run(partial(super().encode, password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        return password_slots().run(partial(super().verify, password, encoded))


class PBKDF2PasswordHasher(hashers.PBKDF2PasswordHasher):
    """The hashes of earlier versions; a sign-in replaces them."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        # `verify` and `harden_runtime` call this.
        return password_slots().run(partial(super().encode, password, salt, iterations))


def answer_too_many_passwords(request: HttpRequest) -> HttpResponse:
    """Return a page with status 503 that asks to try again."""
    log.warning("too many passwords to check at the same time: %s", request.path)
    return try_again_later(render_error("too_many_sign_ins.html", 503), RETRY_AFTER_SECONDS)
