"""Runs the benchmarks, and prints each ratio with its target.

    python -m dev.bench [--only NAME] [--baseline REVISION] [--quick] [--json FILE]

Each benchmark has its own servers and measures a way next to its floor in alternation, so that
other load on the machine affects both. The floor is raw SQL, a view that does nothing, bare Celery,
or, with `--baseline`, another revision of the code. Beside the text, a file has the same as JSON,
with the facts about the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.bench.results import Row
from dev.bench.revisions import ROOT


@dataclass(frozen=True)
class Benchmark:
    """A module of this package, with the arguments of a short run."""

    name: str
    quick: tuple[str, ...]
    takes_baseline: bool = False


BENCHMARKS = (
    Benchmark("ledger", ("--rounds", "60")),
    Benchmark("increments", ("--rounds", "2")),
    Benchmark("wal", ("--runs", "200"), takes_baseline=True),
    Benchmark("throughput", ("--rounds", "2", "--tasks", "100")),
    Benchmark("pages", ("--rounds", "8", "--tenants", "25"), takes_baseline=True),
    Benchmark("batches", ("--rounds", "2", "--rows", "100"), takes_baseline=True),
    Benchmark("items", ("--policies", "200", "--nights", "2"), takes_baseline=True),
    Benchmark("reads", ("--runs", "100000", "--rounds", "2")),
    Benchmark("partitions", ("--events", "300000")),
    Benchmark("memory", ("--runs", "500", "--policies", "300")),
)


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "revision": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "load": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(benchmark: Benchmark, options: argparse.Namespace) -> list[Row]:
    """Run a benchmark, which prints more about its rows, and return them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        command = [sys.executable, "-m", f"dev.bench.{benchmark.name}", "--json", str(file)]
        if options.quick:
            command += benchmark.quick
        if options.baseline and benchmark.takes_baseline:
            command += ["--baseline", options.baseline]
        subprocess.run(command, check=True, cwd=ROOT)
        return [Row(**row) for row in json.loads(file.read_text())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[each.name for each in BENCHMARKS])
    parser.add_argument(
        "--baseline", help="a git revision, which wal, pages, batches and items are paired with"
    )
    parser.add_argument("--quick", action="store_true", help="take few rounds of few rows")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    facts = machine()
    rows: dict[str, list[Row]] = {}
    for benchmark in BENCHMARKS:
        if options.only in (None, benchmark.name):
            sys.stdout.write(f"\n{benchmark.name}\n")
            sys.stdout.flush()
            rows[benchmark.name] = run(benchmark, options)
    sys.stdout.write("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()) + "\n")
    for name, measured in rows.items():
        sys.stdout.write(f"\n{name}\n" + "".join(f"  {row}\n" for row in measured))
    if options.json:
        as_json = {name: [vars(row) for row in measured] for name, measured in rows.items()}
        options.json.write_text(json.dumps({"machine": facts, "rows": as_json}, indent=1) + "\n")


if __name__ == "__main__":
    main()
