"""`make sbom`: the software bill of materials of the image's Python packages, and their licenses.

It reads requirements/base.txt, which the image installs, and the metadata of the installed
packages. It writes `runledger.cdx.json` (CycloneDX 1.6, checked against its schema) and
`licenses.txt` to `dist/`. The packages of the base image are not part of it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "base.txt"
SCHEMA = SchemaVersion.V1_6
UNKNOWN = "not installed on this platform"
_ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?==(?P<version>[^\s;]+)(?: ; (?P<condition>[^\\]+?))? \\\n"
    r"(?P<rest>(?:^[ ]+.*\n?)+)",
    re.MULTILINE,
)
_REQUIRED_BY = re.compile(r"^ +#(?: via|  ) (?P<name>[\w.-]+)(?:\[[^]]*\])?$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """An entry of the lock file."""

    name: str
    version: str
    condition: str
    hashes: list[str]
    required_by: list[str]
    is_direct: bool

    @property
    def license(self) -> str:
        """The license that the package states, as an SPDX expression where it states one."""
        try:
            stated = metadata.metadata(self.name)
        except metadata.PackageNotFoundError:
            return UNKNOWN
        classifiers = stated.get_all("Classifier") or []
        names = [name.rpartition(" :: ")[2] for name in classifiers if name.startswith("License")]
        (text, *_) = stated.get_all("License-Expression") or stated.get_all("License") or [""]
        return text if text and "\n" not in text else " OR ".join(names) or "not stated"


def read_lock(text: str) -> list[Package]:
    """Return the packages of a lock file that uv has compiled."""
    return [
        Package(
            name=entry["name"],
            version=entry["version"],
            condition=entry["condition"] or "",
            hashes=re.findall(r"--hash=sha256:(\w+)", entry["rest"]),
            required_by=_REQUIRED_BY.findall(entry["rest"]),
            is_direct="-r requirements/base.in" in entry["rest"],
        )
        for entry in _ENTRY.finditer(text)
    ]


def build_bom(packages: list[Package]) -> Bom:
    """Return the packages, their files' hashes, licenses and dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    root = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
    )
    bom = Bom()
    bom.metadata.component = root
    components = {package.name: _component(package) for package in packages}
    for package in packages:
        component = components[package.name]
        bom.components.add(component)
        for name in package.required_by:
            bom.register_dependency(components[name], [component])
        bom.register_dependency(component)
        if package.is_direct:
            bom.register_dependency(root, [component])
    return bom


def _component(package: Package) -> Component:
    license_ = (
        DisjunctiveLicense(name=package.license)
        if package.license in (UNKNOWN, "not stated")
        else LicenseFactory().make_from_string(package.license)
    )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{package.name}=={package.version}",
        purl=PackageURL("pypi", name=package.name, version=package.version),
        scope=ComponentScope.OPTIONAL if package.condition else ComponentScope.REQUIRED,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
        licenses=[license_],
    )


def license_lines(packages: list[Package]) -> Iterator[str]:
    """Yield a line for each package: name, version, license."""
    for package in packages:
        condition = f" (only if {package.condition})" if package.condition else ""
        yield f"{package.name:<22} {package.version:<14} {package.license}{condition}"


def main(folder: Path) -> None:
    # It parses grammars for more than a second, which only this function needs.
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    packages = read_lock(LOCK.read_text(encoding="utf-8"))
    text = make_outputter(build_bom(packages), OutputFormat.JSON, SCHEMA).output_as_string(indent=2)
    if error := JsonStrictValidator(SCHEMA).validate_str(text):
        raise SystemExit(f"The bill of materials is not valid: {error}")
    folder.mkdir(exist_ok=True)
    (folder / "runledger.cdx.json").write_text(text + "\n", encoding="utf-8")
    lines = "".join(f"{line}\n" for line in license_lines(packages))
    (folder / "licenses.txt").write_text(lines, encoding="utf-8")
    sys.stdout.write(f"{len(packages)} packages: {folder}/runledger.cdx.json, licenses.txt\n")


if __name__ == "__main__":
    main(ROOT / "dist")
