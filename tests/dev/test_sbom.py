"""`make sbom` lists what the image installs, with the dependencies and licenses of each package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dev import sbom
from tests.support.stack import ROOT

PINNED = set(re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", sbom.LOCK.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    sbom.main(folder)
    return folder


@pytest.fixture(scope="module")
def bom(folder: Path) -> Any:
    return json.loads((folder / "runledger.cdx.json").read_text())


def test_every_locked_package_is_listed_with_its_hashes_and_license(bom: Any) -> None:
    listed = {(entry["name"], entry["version"]) for entry in bom["components"]}

    assert listed == PINNED
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    for entry in bom["components"]:
        assert entry["hashes"]
        assert entry["licenses"]
        assert entry["purl"] == f"pkg:pypi/{entry['name']}@{entry['version']}"


def test_the_dependencies_are_those_of_the_lock_file(bom: Any) -> None:
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    direct = (ROOT / "requirements" / "base.in").read_text()
    names = set(re.findall(r"^([\w.-]+)", direct, re.MULTILINE))

    assert {ref.partition("==")[0] for ref in needs["runledger"]} == names
    (kombu,) = (ref for ref in needs if ref.startswith("kombu=="))
    assert {ref.partition("==")[0] for ref in needs[kombu]} >= {"amqp", "vine"}
    reached, pending = {"runledger"}, ["runledger"]
    while pending:
        new = set(needs[pending.pop()]) - reached
        reached |= new
        pending += new
    assert len(reached) == len(PINNED) + 1


def test_the_licenses_are_known(folder: Path) -> None:
    """A package whose license is new here is looked at by a person."""
    accepted = re.compile(r"\b(MIT|BSD|Apache|LGPL|MPL|PSF|ISC)\b")
    lines = (folder / "licenses.txt").read_text().splitlines()

    assert len(lines) == len(PINNED)
    assert [line for line in lines if not accepted.search(line) and sbom.UNKNOWN not in line] == []
