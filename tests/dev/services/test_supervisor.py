"""The supervision of `make run`, with small test programs."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from dev.services.processes import ServiceError, running_processes
from dev.services.runner import fleet_size, web_port
from tests.dev.services.helpers import (
    descendants,
    eventually,
    read_until,
    start_python,
)

# A tree: guardian, runner, two programs; one has a child in a new session that ignores SIGTERM.
TREE = """
import pathlib, sys
from dev.services.console import Console
from dev.services.processes import run_guarded
from dev.services.supervisor import Program, ServiceEndedError, StopRequestedError, Supervisor
PARENT = '''
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
                  "print('ignores SIGTERM', flush=True); time.sleep(99)"], start_new_session=True)
time.sleep(99)
'''
def main():
    supervisor = Supervisor(env={}, cwd=pathlib.Path("."), console=Console())
    supervisor.handle_signals()
    try:
        for name, code in (("first", "import time; time.sleep(99)"), ("second", sys.argv[1] or PARENT)):
            supervisor.start(Program(name, [sys.executable, "-c", code], grace=4, restarts=name in sys.argv[2:]))
        supervisor.log("started")
        supervisor.watch()
    except StopRequestedError:
        return 0
    except ServiceEndedError as error:
        supervisor.log(str(error))
        return error.exit_code
    finally:
        supervisor.stop_all()
run_guarded(main, patience=1)
"""


def start_tree(second: str = "", *restarted: str) -> subprocess.Popen[str]:
    return start_python(TREE, second, *restarted)


@pytest.mark.chaos
@pytest.mark.parametrize("victims", [("guardian",), ("runner",), ("guardian", "runner")])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_survives_the_end_of_the_tree(victims, number):
    guardian = start_tree()
    read_until(guardian, "ignores SIGTERM")
    # The runner, two keepers, two programs, the child that ignores SIGTERM.
    eventually(lambda: len(descendants(guardian.pid)) == 6)
    processes = descendants(guardian.pid)

    pids = {"guardian": guardian.pid, "runner": processes[0]}
    for victim in victims:
        os.kill(pids[victim], number)
    guardian.communicate()

    eventually(lambda: not set(processes) & set(running_processes()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_usual_signals_stop_the_programs(number):
    guardian = start_tree("import time; time.sleep(99)")
    read_until(guardian, "started")

    guardian.send_signal(number)
    output, _ = guardian.communicate(timeout=60)

    assert guardian.returncode == 0
    assert "first stopped" in output


def test_the_end_of_a_program_stops_the_others_with_its_code_and_output():
    guardian = start_tree("import time; time.sleep(.3); print('no disk left'); raise SystemExit(7)")

    output, _ = guardian.communicate(timeout=60)

    assert guardian.returncode == 7
    assert "second ended with code 7" in output
    assert "    no disk left" in output
    assert "first stopped" in output


def test_programs_stop_in_the_reverse_order_of_their_start():
    guardian = start_tree("import time; time.sleep(99)")
    read_until(guardian, "started")

    guardian.send_signal(signal.SIGINT)
    output, _ = guardian.communicate(timeout=60)

    assert guardian.returncode == 0
    assert output.index("second stopped") < output.index("first stopped")


def test_a_program_is_restarted_a_limited_number_of_times():
    guardian = start_tree("raise SystemExit(3)", "second")

    output, _ = guardian.communicate(timeout=60)

    assert output.count("restarting it") == 3
    assert guardian.returncode == 3


@pytest.mark.parametrize("port", ["0", "eighty", "70000"])
def test_an_invalid_port_is_rejected(port, monkeypatch):
    monkeypatch.setenv("PORT", port)

    with pytest.raises(ServiceError, match="not a port"):
        web_port()


@pytest.mark.parametrize("tenants", ["29", "1001", "many", "-30", "\u0663\u0660\u0660\u0660"])
def test_an_invalid_number_of_tenants_is_rejected(tenants, monkeypatch):
    monkeypatch.setenv("FLEET_TENANTS", tenants)

    with pytest.raises(ServiceError, match="from 30 to 1000"):
        fleet_size()


def test_a_port_in_use_is_reported_before_anything_starts(monkeypatch):
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
