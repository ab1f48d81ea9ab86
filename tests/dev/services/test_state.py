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


def test_keys_and_port_stay_the_same_between_runs(folder, state):
    again = StateFolder(folder / ".dev")

    assert again.secret_key() == state.secret_key()
    assert again.credential_keys() == state.credential_keys()
    assert again.graph_port() == state.graph_port()


def test_a_credential_key_is_a_named_one_of_32_bytes(state):
    name, _, key = state.credential_keys().partition(":")

    assert name == "v1"
    assert len(base64.urlsafe_b64decode(key)) == 32


def test_what_is_published_can_be_read_as_an_environment(state, monkeypatch):
    values = {"RL_A": "v1:abc-_=", "RL_B": "redis+socket:///a b?virtual_host=0"}
    for name in values:
        monkeypatch.delenv(name, raising=False)

    state.publish(values)
    environ.Env.read_env(str(state.services))

    assert {name: os.environ[name] for name in values} == values


def test_nobody_else_can_read_the_secrets(state):
    state.publish({"SECRET_KEY": state.secret_key()})

    for path in (state.services, state.kept):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700


def test_one_checkout_runs_once(folder, state):
    with pytest.raises(ServiceError, match="already running"):
        StateFolder(folder / ".dev").claim()


def test_a_withdrawn_address_is_gone_and_may_be_withdrawn_twice(state):
    state.publish({"A": "b"})

    state.withdraw()
    state.withdraw()

    assert not state.services.exists()


def test_a_link_in_the_place_of_our_folder_is_refused(folder):
    (folder / "elsewhere").mkdir()
    (folder / "trap").symlink_to(folder / "elsewhere")

    with pytest.raises(ServiceError, match="belongs to another"):
        make_private(folder / "trap")
