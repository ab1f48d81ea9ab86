"""The vendored front-end files are those that `vendor.toml` lists."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = tomllib.loads((ROOT / "vendor.toml").read_text())
FILES = {file: digest for package in PACKAGES.values() for file, digest in package["files"].items()}


@pytest.mark.parametrize("file", FILES)
def test_a_vendored_file_is_unchanged(file):
    assert hashlib.sha256((ROOT / file).read_bytes()).hexdigest() == FILES[file]


def test_no_other_file_is_vendored():
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "static/vendor").rglob("*")
        if path.is_file()
    }

    assert files == set(FILES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_version_integrity_and_license(package):
    entry = PACKAGES[package]

    assert entry["name"]
    assert entry["version"]
    assert entry["license"]
    assert entry["integrity"].startswith("sha512-")
    assert any(file.endswith("LICENSE") for file in entry["files"])


def test_no_vendored_file_refers_to_a_missing_file():
    for file in FILES:
        assert "sourceMappingURL" not in (ROOT / file).read_text()
