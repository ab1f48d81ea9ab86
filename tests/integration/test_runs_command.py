"""`manage.py runs` as a process: it starts a run, shows its progress, and waits for a worker."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from dev.services.processes import stop
from operations.models import OperationRun
from operations.states import RunStatus
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import Customer
from tests.support.stack import ROOT, Stack, eventually, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def runs_command(stack: Stack, *arguments: str, stderr: int) -> subprocess.Popen[bytes]:
    # A program that a shell started in the background ignores the signal, as do its own programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # `stop` kills the group of the process.
    return subprocess.Popen(
        [sys.executable, "manage.py", "runs", *arguments],
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )


def test_a_run_is_started_and_awaited_and_ctrl_c_leaves_it_alone(
    customer: Customer, stack: Stack, broker: Broker, manager: User
) -> None:
    terminal, side = pty.openpty()
    sync = ("inventory.sync", str(customer.tenant.pk), "--as", manager.username, "--wait", "--json")
    waiting = runs_command(stack, "start", *sync, stderr=side)
    os.close(side)
    try:
        shown = b""
        while b"[........................]" not in shown:
            shown += os.read(terminal, 1000)
        eventually(lambda: broker.waiting("sync"), what="the message")
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=120)
    finally:
        stop(waiting, signal.SIGKILL, grace=10)
        os.close(terminal)
    run = OperationRun.objects.get()
    assert (waiting.returncode, run.status) == (130, RunStatus.QUEUED)

    stack.start_worker(concurrency=1, ready=False)
    wait_for_end(run.pk, seconds=300)
    again = runs_command(stack, "start", *sync, stderr=subprocess.PIPE)
    try:
        output, errors = again.communicate(timeout=300)
    finally:
        stop(again, signal.SIGKILL, grace=10)

    assert (again.returncode, errors) == (0, b"")
    (entry,) = json.loads(output)
    assert entry["outcome"] == "succeeded"
    assert entry["id"] != run.pk
