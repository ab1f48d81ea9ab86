"""Folders with short names, because the path of a Unix socket must be short."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="rl-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
