"""Print counts that show how the code reads: `python -m dev.code_counts [--list PACKAGE…]`.

Counted in the product and in `dev`, without migrations: functions and methods, the private ones
among them, private ones that are used once, and conditional expressions. `--list` prints, for the
named packages, each private helper that is used once and no longer than four lines, and each
conditional expression that spans lines or stands inside an f-string.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHORT_LINES = 4

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A parsed Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def conditionals(self) -> list[ast.IfExp]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.IfExp)]


def load_modules(root: Path) -> list[Module]:
    """Parse the product's modules and those of `dev`; tests and migrations are left out."""
    packages = sorted(path.parent for path in root.glob("*/__init__.py"))
    files = [file for package in packages for file in sorted(package.rglob("*.py"))]
    modules = []
    for file in files:
        path = file.relative_to(root)
        if path.parts[0] != "tests" and "migrations" not in path.parts:
            text = file.read_text(encoding="utf-8")
            modules.append(Module(path, text, ast.parse(text)))
    return modules


def is_private(function: Function) -> bool:
    return function.name.startswith("_") and not function.name.endswith("__")


def body_lines(function: Function) -> int:
    """The number of lines of a function's body, without its docstring."""
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    statements = body[1:] if has_docstring else body
    if not statements:
        return 0
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1


def used_once(module: Module, uses: Counter[str]) -> list[Function]:
    """The private functions whose name stands in the module twice: definition and one use."""
    private = [function for function in module.functions if is_private(function)]
    return [f for f in private if uses[f.name] == 2 and not f.decorator_list]


def words(module: Module) -> Counter[str]:
    return Counter(re.findall(r"\w+", module.text))


def dense_conditionals(module: Module) -> Iterator[ast.IfExp]:
    """Conditional expressions that span lines or stand inside an f-string."""
    in_f_strings = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FormattedValue)
        for inner in ast.walk(node)
    }
    for node in module.conditionals:
        if node.end_lineno != node.lineno or id(node) in in_f_strings:
            yield node


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to count")
    parser.add_argument("--list", nargs="*", default=[], metavar="PACKAGE")
    options = parser.parse_args()
    modules = load_modules(options.root)
    functions = [function for module in modules for function in module.functions]
    private = [function for function in functions if is_private(function)]
    once = [f for module in modules for f in used_once(module, words(module))]
    short = [f for f in once if body_lines(f) <= SHORT_LINES]
    dense = [node for module in modules for node in dense_conditionals(module)]
    conditionals = sum(len(module.conditionals) for module in modules)
    lines = sum(module.text.count("\n") for module in modules)
    longest = max(functions, key=body_lines)
    classes = [node for m in modules for node in ast.walk(m.tree) if isinstance(node, ast.ClassDef)]
    largest = max(classes, key=lambda node: (node.end_lineno or 0) - node.lineno)
    print(f"lines {lines:,}, modules {len(modules)}, functions {len(functions):,}")
    print(f"private functions {len(private):,} ({len(private) / len(functions):.0%})")
    print(f"private and used once {len(once):,} ({len(once) / len(functions):.0%})")
    print(f"of these at most {SHORT_LINES} lines {len(short):,}")
    print(f"conditional expressions {conditionals} ({1000 * conditionals / lines:.1f} per 1,000)")
    print(f"over several lines or in an f-string {len(dense)}")
    print(f"longest function {longest.name}: {body_lines(longest)} lines")
    print(f"largest class {largest.name}: {(largest.end_lineno or 0) - largest.lineno + 1} lines")
    for module in modules:
        if module.path.parts[0] in options.list:
            print_places(module)


def print_places(module: Module) -> None:
    for function in used_once(module, words(module)):
        if body_lines(function) <= SHORT_LINES:
            print(f"{module.path}:{function.lineno}: {function.name} is used once")
    for node in dense_conditionals(module):
        print(f"{module.path}:{node.lineno}: conditional expression")


if __name__ == "__main__":
    main()
