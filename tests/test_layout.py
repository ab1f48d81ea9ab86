"""The layout: imports without cycles, the domain without views, tests without each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from grimp import ImportGraph

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def imported_modules(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, with those of `from package import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_forbidden(module: str, importer: Path) -> bool:
    """Return whether an import is of a test module or of the conftest of another directory."""
    *parents, name = module.split(".")
    if not parents or parents[0] != "tests":
        return False
    folder = ROOT.joinpath(*parents)
    return (name.startswith("test_") and (folder / f"{name}.py").exists()) or (
        name == "conftest" and folder != importer.parent
    )


def test_no_test_imports_from_a_test_module_or_a_foreign_conftest() -> None:
    violations = {
        f"{path.relative_to(TESTS)}: {module}"
        for path in TESTS.rglob("*.py")
        for module in imported_modules(path)
        if is_forbidden(module, path)
    }

    assert violations == set()


def test_tests_that_race_are_marked() -> None:
    """`make test-fast` leaves them out by their marks."""
    unmarked = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if "tests.support.concurrency" in set(imported_modules(path))
        and "pytest.mark.race" not in path.read_text()
    }

    assert unmarked == set()


@pytest.fixture(scope="module")
def imports() -> ImportGraph:
    """The imports of all packages but the tests, those inside functions and for types included."""
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    return grimp.build_graph(*(name for name in packages if name != "tests"), cache_dir=None)


def test_no_modules_import_each_other_in_a_cycle(imports: ImportGraph) -> None:
    remaining = {name: imports.find_modules_directly_imported_by(name) for name in imports.modules}
    while leaves := {name for name, imported in remaining.items() if not imported & set(remaining)}:
        remaining = {name: of for name, of in remaining.items() if name not in leaves}

    assert sorted(remaining) == [], "these modules are in a cycle or import one that is"


def test_only_views_and_routes_import_from_a_views_package(imports: ImportGraph) -> None:
    """Views use the domain; the domain never depends on a page."""
    violations = {
        f"{name}: {imported}"
        for name in imports.modules
        if not {"views", "urls"} & set(name.split("."))
        for imported in imports.find_modules_directly_imported_by(name)
        if "views" in imported.split(".")
    }

    assert violations == set()
