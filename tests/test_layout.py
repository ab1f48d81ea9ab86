"""Test modules stay independent of each other: what they share stands in tests/support."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def imported_modules(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, with those of `from package import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_forbidden(module: str, importer: Path) -> bool:
    """Whether an import reaches into a test module or into the conftest of another directory."""
    *parents, name = module.split(".")
    if not parents or parents[0] != "tests":
        return False
    folder = TESTS.parent.joinpath(*parents)
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
