"""The benchmark of throughput ends when a worker does, and says why."""

import os
import sys
from pathlib import Path

import pytest

from dev.bench.throughput import Contender


def test_a_worker_that_does_not_start_ends_the_benchmark_with_its_log(tmp_path: Path) -> None:
    refusal = "import sys; sys.exit('The database is not configured.')"
    contender = Contender(
        name="ledger",
        command=[sys.executable, "-c", refusal],
        workers=1,
        send=lambda tasks: None,
        count_pending=lambda: 1,
        environment=dict(os.environ),
    )

    with pytest.raises(SystemExit, match=r"a worker has ended\.\n.*database is not configured"):
        contender.start(tmp_path)
