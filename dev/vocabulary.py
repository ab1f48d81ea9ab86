"""Make `redaction/data/words.bloom`, the words that no password is.

    python -m dev.vocabulary words.txt…

Each file has words, of which those of eight to twenty-four small letters count. The file that is
committed was made on 2026-11-30 of the frequent words (the list `best`) of wordfreq 3.1.1, whose
data has the license CC BY-SA 4.0: 60,000 English ones, 40,000 German ones, 25,000 each of French,
Spanish, Italian, Portuguese, Dutch, Polish and Swedish, 15,000 each of Norwegian, Danish, Finnish
and Czech, 10,000 each of Hungarian, Romanian, Turkish and Slovak; of the words in three or more
files of Python's packages and of the manual pages of Debian; of those in `docs/`; and of 1,200 names
and words of administration.
"""

from __future__ import annotations

import sys
from pathlib import Path

from redaction.vocabulary import FILE, WORD, make_filter


def main(files: list[str]) -> None:
    """Write the filter that knows the words of the files."""
    if not files:
        raise SystemExit(__doc__)
    words = {word for file in files for word in WORD.findall(Path(file).read_text())}
    FILE.write_bytes(make_filter(words))
    sys.stdout.write(f"{len(words):,} words, {FILE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
