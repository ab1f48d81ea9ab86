"""Template loaders that leave out the indentation of HTML, a twentieth of what a page sends."""

from __future__ import annotations

import re
from typing import Any

from django.template import Origin
from django.template.loaders import app_directories, filesystem

_INDENTATION = re.compile(r"\n\s+")


class _WithoutIndentation:
    """Reads a template of a page without the indentation of its lines and without empty lines.

    Line breaks stay, because they separate words and elements. Emails and other texts stay as they
    are.
    """

    def get_contents(self, origin: Origin) -> str:
        """Return the source of the template."""
        source: Any = super()
        contents: str = source.get_contents(origin)
        return _INDENTATION.sub("\n", contents) if origin.name.endswith(".html") else contents


class FilesystemLoader(_WithoutIndentation, filesystem.Loader):
    """Loads the templates of the folder `templates/`."""


class AppDirectoriesLoader(_WithoutIndentation, app_directories.Loader):
    """Loads the templates of installed apps."""
