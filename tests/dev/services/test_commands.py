import re
import subprocess

import pytest

from tests.dev.services.helpers import ROOT


def test_make_without_a_target_lists_every_command():
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)

    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    assert commands == set(re.findall(r"^  make (\S+) +\S", listed.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", ["base", "dev"])
def test_a_lock_file_names_no_package_index(name):
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()

    assert "://" not in lock
    assert "--index" not in lock
    assert "--find-links" not in lock


@pytest.mark.parametrize("name", ["base", "dev"])
def test_every_locked_package_has_a_hash(name):
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()

    entries = re.split(r"\n(?=[A-Za-z0-9])", lock)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_production_installs_the_tested_versions():
    pins = {
        name: set(
            re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
        )
        for name in ("base.txt", "dev.txt")
    }

    assert pins["base.txt"] <= pins["dev.txt"]
