"""Measures the redaction: what leaks, what is altered without need, and what it costs.

    python -m dev.bench.redaction [--per-shape 100] [--seed 1] [--baseline REVISION] [--show 20]

The labeled sets of `dev.labeled` pass through the redaction of this revision and, with `--baseline`,
through that of another one. A secret leaks if it or one half of it survives, in the form that the
text has it. The cost is that of a large policy, taken in alternation.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import quote, quote_plus

from dev.bench.revisions import ROOT, checkout
from dev.labeled import harmless, payloads, policies, secrets

MODULE = Path("dev/bench/redaction.py")
#: Runs in the folder of a revision: a line with a value gets a line with what remains of it.
_SERVE = """
import json, sys, time
from redaction.text import sanitize_text
try:
    from redaction.json import sanitize_payload
except ImportError:
    from redaction.json import sanitize_json
    def sanitize_payload(value):
        return sanitize_json(value, max_bytes=1024 * 1024)
for line in sys.stdin:
    value = json.loads(line)
    begun = time.process_time()
    if isinstance(value, str):
        cleaned = sanitize_text(value, 20_000, keep_newlines=True)
    else:
        cleaned = sanitize_payload(value)
    seconds = time.process_time() - begun
    sys.stdout.write(json.dumps([cleaned, seconds]) + "\\n")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Case:
    """A value of a set; `secret` is empty if nothing may be altered."""

    set: str
    shape: str
    value: Any
    secret: str = ""


class Redaction:
    """The redaction of the revision in a folder, in its own process."""

    def __init__(self, folder: Path) -> None:
        self.process = Popen(
            [sys.executable, "-c", _SERVE], cwd=folder, stdin=PIPE, stdout=PIPE, text=True
        )

    def __call__(self, value: Any) -> tuple[Any, float]:
        """Return what remains of the value, and the CPU seconds that this took."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        cleaned, seconds = json.loads(self.process.stdout.readline())
        return cleaned, seconds

    def end(self) -> None:
        self.process.communicate()


def cases(seed: object, per_shape: int, *, fresh: bool) -> Iterator[Case]:
    """Yield the labeled sets; `fresh` ones have contexts that no rule was written for."""
    rng = secrets.new_rng(f"{seed} {fresh}")
    contexts = secrets.FRESH_CONTEXTS if fresh else secrets.CONTEXTS
    for sample in secrets.named(rng, contexts, per_shape):
        yield Case("named", sample.shape, sample.text, sample.secret)
    for sample in secrets.bare(rng, per_shape, fresh=fresh):
        yield Case("bare", sample.shape, sample.text, sample.secret)
    for shape, payload, secret in payloads.secrets(rng, per_shape):
        yield Case("payload", shape, payload, secret)
    for kind, text in harmless.texts(rng, per_shape * 5):
        yield Case("harmless", kind, text)
    if fresh:
        for kind, text in harmless.fresh_texts(rng, per_shape * 20):
            yield Case("harmless", f"fresh {kind}", text)
    for payload in payloads.harmless(rng, per_shape):
        yield Case("harmless payload", "payload", payload)


def survives(secret: str, cleaned: Any) -> bool:
    """Return whether a contiguous half of the secret is left, in any form that texts have it."""
    text = cleaned if isinstance(cleaned, str) else json.dumps(cleaned, ensure_ascii=False)
    forms = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    escaped = json.dumps(secret)[1:-1]
    forms |= {escaped, json.dumps(escaped)[1:-1], repr(secret)[1:-1]}
    for form in forms:
        half = max(math.ceil(len(form) / 2), 4)
        if any(form[at : at + half] in text for at in range(len(form) - half + 1)):
            return True
    return False


def fails(case: Case, cleaned: Any) -> bool:
    """Return whether the secret leaks, or a harmless value was altered."""
    return survives(case.secret, cleaned) if case.secret else cleaned != case.value


@dataclass
class Result:
    """The cases of a set and those that failed, by shape."""

    total: Counter[str]
    failed: Counter[str]

    @property
    def rate(self) -> float:
        return self.failed.total() / max(self.total.total(), 1)


def evaluate(redaction: Redaction, labeled: list[Case], show: int) -> dict[str, Result]:
    """Return the results by set; print the first failures."""
    results: dict[str, Result] = defaultdict(lambda: Result(Counter(), Counter()))
    for case in labeled:
        cleaned, _ = redaction(case.value)
        result = results[case.set]
        result.total[case.shape] += 1
        if fails(case, cleaned):
            result.failed[case.shape] += 1
            if show > 0:
                show -= 1
                sys.stdout.write(json.dumps(asdict(case) | {"cleaned": cleaned})[:900] + "\n")
    return results


def report(name: str, results: dict[str, Result]) -> str:
    """Return a line for each set."""
    lines = []
    for key, result in results.items():
        shapes = sum(result.failed[shape] > 0 for shape in result.total)
        lines.append(
            f"{name:10} {key:18} {result.failed.total():6} of {result.total.total():6}"
            f" ({result.rate:.3%}), {shapes} of {len(result.total)} shapes"
        )
        worst = ", ".join(f"{shape} {count}" for shape, count in result.failed.most_common(8))
        lines += [f"{'':10}   {worst}"] if worst else []
    return "\n".join(lines)


def main() -> None:
    """Evaluate the redaction of this revision, and of the baseline."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-shape", type=int, default=100)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--baseline", help="a revision to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--show", type=int, default=0, help="print so many failures")
    options = parser.parse_args()
    with ExitStack() as stack:
        folders = {"this": ROOT}
        if options.baseline:
            folders["baseline"] = stack.enter_context(checkout(options.baseline, MODULE))
        redactions = {name: Redaction(folder) for name, folder in folders.items()}
        for fresh in (False, True):
            sys.stdout.write(f"{'fresh' if fresh else 'known'} contexts, seed {options.seed}\n")
            labeled = list(cases(options.seed, options.per_shape, fresh=fresh))
            for name, redaction in redactions.items():
                show = options.show if name == "this" else 0
                sys.stdout.write(report(name, evaluate(redaction, labeled, show)) + "\n")
        seconds: dict[str, list[float]] = defaultdict(list)
        for number in range(options.rounds):
            policy = policies.large_policy(secrets.new_rng(number))
            for name, redaction in redactions.items():
                seconds[name].append(redaction(policy)[1])
        for name, values in seconds.items():
            ratio = median(a / b for a, b in zip(values, seconds["this"], strict=True))
            sys.stdout.write(
                f"{name:10} large policy: {ratio:.2f} times the CPU of this revision\n"
            )
        for redaction in redactions.values():
            redaction.end()


if __name__ == "__main__":
    main()
