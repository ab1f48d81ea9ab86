import base64
import os
import stat

import environ
import pytest

from dev.services.processes import ServiceError
from dev.services.sockets import make_private
from dev.services.state import StateFolder


@pytest.fixture
def state(folder):
    state = StateFolder(folder / ".dev")
    state.claim()
    yield state
    state.release()


def test_keys_and_port_stay_the_same_after_a_restart(folder, state):
    again = StateFolder(folder / ".dev")

    assert again.secret_key() == state.secret_key()
    assert again.credential_keys() == state.credential_keys()
    assert again.graph_port() == state.graph_port()


def test_a_credential_key_has_a_name_and_32_bytes(state):
    name, _, key = state.credential_keys().partition(":")

    assert name == "v1"
    assert len(base64.urlsafe_b64decode(key)) == 32


def test_published_values_can_be_read_as_an_environment(state, monkeypatch):
    values = {"RL_A": "v1:abc-_=", "RL_B": "redis+socket:///a b?virtual_host=0"}
    for name in values:
        monkeypatch.delenv(name, raising=False)

    state.publish(values)
    environ.Env.read_env(str(state.services_file))

    assert {name: os.environ[name] for name in values} == values


def test_only_the_owner_can_read_the_secrets(state):
    state.publish({"SECRET_KEY": state.secret_key()})

    for path in (state.services_file, state.values_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700


def test_a_checkout_can_run_only_once_at_a_time(folder, state):
    with pytest.raises(ServiceError, match="already running"):
        StateFolder(folder / ".dev").claim()


def test_withdrawing_removes_the_addresses_and_can_be_repeated(state):
    state.publish({"A": "b"})

    state.withdraw()
    state.withdraw()

    assert not state.services_file.exists()


def test_a_link_instead_of_the_folder_is_rejected(folder):
    (folder / "elsewhere").mkdir()
    (folder / "trap").symlink_to(folder / "elsewhere")

    with pytest.raises(ServiceError, match="belongs to another"):
        make_private(folder / "trap")
