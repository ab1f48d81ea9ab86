"""Templates of pages are loaded without indentation, and nothing else about them changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.template import Engine

PAGE = "<ul>\n  {% for each in items %}\n\n    <li>{{ each }}</li>\n  {% endfor %}\n</ul>\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("list.html", "<ul>\n\n<li>  a\n  b</li>\n\n</ul>\n"),
        ("email.txt", "<ul>\n  \n\n    <li>  a\n  b</li>\n  \n</ul>\n"),
    ],
)
def test_only_pages_lose_their_indentation(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_text(PAGE)
    engine = Engine(dirs=[str(tmp_path)], loaders=["web.templates.FilesystemLoader"])

    assert engine.render_to_string(name, {"items": ["  a\n  b"]}) == expected
