"""The supervision of `make run`, with small programs in the place of ours."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from dev.services.processes import ServiceError, running_processes
from dev.services.runner import chosen_port
from tests.dev.services.helpers import (
    descendants,
    eventually,
    read_until,
    start_python,
)

# A tree: guardian, runner, two programs; one has a child in a session of its own, deaf to signals.
TREE = """
import pathlib, sys
from dev.services.console import Console
from dev.services.processes import run_guarded
from dev.services.supervisor import Program, ServiceEndedError, StopRequestedError, Supervisor
PARENT = '''
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
                  "print('deaf', flush=True); time.sleep(99)"], start_new_session=True)
time.sleep(99)
'''
def main():
    supervisor = Supervisor(env={}, cwd=pathlib.Path("."), console=Console())
    supervisor.obey_signals()
    try:
        for name, code in (("first", "import time; time.sleep(99)"), ("second", sys.argv[1] or PARENT)):
            supervisor.start(Program(name, [sys.executable, "-c", code], grace=4, restarts=name in sys.argv[2:]))
        supervisor.say("started")
        supervisor.watch()
    except StopRequestedError:
        return 0
    except ServiceEndedError as ended:
        supervisor.say(str(ended))
        return ended.exit_code
    finally:
        supervisor.stop_all()
run_guarded(main, patience=1)
"""


def start_tree(second: str = "", *restarted: str) -> subprocess.Popen[str]:
    return start_python(TREE, second, *restarted)


@pytest.mark.chaos
@pytest.mark.parametrize("victims", [("guardian",), ("runner",), ("guardian", "runner")])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_survives_however_the_tree_is_ended(victims, number):
    guardian = start_tree()
    read_until(guardian, "deaf")
    # The runner, two keepers, two programs, the deaf child.
    eventually(lambda: len(descendants(guardian.pid)) == 6, within=10)
    family = descendants(guardian.pid)

    pids = {"guardian": guardian.pid, "runner": family[0]}
    for victim in victims:
        os.kill(pids[victim], number)
    guardian.communicate()

    eventually(lambda: not set(family) & set(running_processes()), within=12)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_every_usual_signal_is_a_request_to_stop(number):
    guardian = start_tree("import time; time.sleep(99)")
    read_until(guardian, "started")

    guardian.send_signal(number)
    output, _ = guardian.communicate(timeout=20)

    assert guardian.returncode == 0
    assert "first stopped" in output


def test_a_program_that_ends_takes_all_along_with_its_code_and_last_words():
    guardian = start_tree("import time; time.sleep(.3); print('no disk left'); raise SystemExit(7)")

    output, _ = guardian.communicate(timeout=20)

    assert guardian.returncode == 7
    assert "second ended with code 7" in output
    assert "    no disk left" in output
    assert "first stopped" in output


def test_programs_stop_in_the_reverse_order_of_their_start():
    guardian = start_tree("import time; time.sleep(99)")
    read_until(guardian, "started")

    guardian.send_signal(signal.SIGINT)
    output, _ = guardian.communicate(timeout=20)

    assert guardian.returncode == 0
    assert output.index("second stopped") < output.index("first stopped")


def test_a_program_that_may_restart_is_started_again_but_not_for_ever():
    guardian = start_tree("raise SystemExit(3)", "second")

    output, _ = guardian.communicate(timeout=20)

    assert output.count("starting another") == 3
    assert guardian.returncode == 3


@pytest.mark.parametrize("given", ["0", "eighty", "70000"])
def test_a_port_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.setenv("PORT", given)

    with pytest.raises(ServiceError, match="not a port"):
        chosen_port()


def test_a_port_in_use_is_named_before_anything_starts(monkeypatch):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        runner = subprocess.run(
            [sys.executable, "-m", "dev.services.runner"],
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert runner.returncode == 1
    assert runner.stderr.strip().startswith(f"Port {port} is in use.")
    assert not runner.stdout
