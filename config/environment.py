"""Settings from environment variables, or from files that environment variables name."""

from __future__ import annotations

import builtins
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


#: The beginnings of addresses of PostgreSQL.
POSTGRESQL_SCHEMES = frozenset(
    scheme
    for scheme, engine in environ.Env.DB_SCHEMES.items()
    if engine == "django.db.backends.postgresql"
)


class FileVariables(Mapping[str, str]):
    """The environment, in which `NAME_FILE` names a file with the value of `NAME`.

    Orchestrators mount secrets as files, which other processes and crash reports do not show.
    """

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable; the line end of a file is not part of it.

        Raises:
            KeyError: neither variable is set.
            ImproperlyConfigured: both are set, or the file cannot be read.
        """
        path = os.environ.get(f"{name}_FILE")
        if not path:
            return os.environ[name]
        if os.environ.get(name):
            raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Remove one of them.")
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        raise ImproperlyConfigured(f"{name}_FILE: {path} can't be read: {reason}.")

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


class StrictEnv(environ.Env):  # type: ignore[misc]  # it has no types
    """Refuses what `environ` would misread, and names the variable of an invalid value.

    It takes the word “enabled” for false, 2 for true, and “5m” for 5. A message never contains an
    address, because an address contains a password.
    """

    def bool(self, var: str, default: Any = environ.Env.NOTSET) -> bool:
        """Return the value of a variable that is true or false, in any case.

        Raises:
            ImproperlyConfigured: it is neither.
        """
        text = self.str(var, default=str(default) if isinstance(default, bool) else default)
        value = BOOLEANS.get(text.strip().lower())
        if value is None:
            raise ImproperlyConfigured(f"{var} is {text!r}; use “true” or “false”.")
        return value

    def int(self, var: str, default: Any = environ.Env.NOTSET) -> builtins.int:
        """Return the value of a variable that is a whole number.

        Raises:
            ImproperlyConfigured: it is not.
        """
        try:
            return builtins.int(super().int(var, default=default))
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {self.str(var)!r}; use a whole number.") from None

    def float(self, var: str, default: Any = environ.Env.NOTSET) -> builtins.float:
        """Return the value of a variable that is a number.

        Raises:
            ImproperlyConfigured: it is not.
        """
        try:
            value = builtins.float(self.str(var, default=default))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ImproperlyConfigured(f"{var} is {self.str(var)!r}; use a number.")
        return value

    def postgresql(self, var: str) -> dict[str, Any]:
        """Return Django's entry for the database whose address is the value of a variable.

        Raises:
            ImproperlyConfigured: it is no address of PostgreSQL.
        """
        try:
            if urlsplit(self.str(var)).scheme in POSTGRESQL_SCHEMES:
                return dict(self.db_url(var))
        except ValueError:
            pass
        raise ImproperlyConfigured(
            f"{var} is not the address of a database, postgresql://user:password@host/database. "
            "Write special characters of the password percent-encoded."
        )
