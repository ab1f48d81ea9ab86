"""Folders with short names: a unix socket's path may not be long."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="rl-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
