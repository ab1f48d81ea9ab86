"""The browser and address from which a session was opened."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Session
from accounts.sessions import SessionStore
from tenancy.models import User

#: The key in the session's data.
CLIENT_KEY = "client"
#: Browsers send less; the rest would only fill the table.
MAX_AGENT = 400
# Most browsers name others too, so the first match decides.
_BROWSERS = (
    ("Edg", "Microsoft Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class OpenSession:
    """A session of a user as the account page shows it."""

    row: Session
    client: str
    address: str
    is_current: bool


def open_sessions(user: User, current_key: str | None) -> list[OpenSession]:
    """Return the sessions of a user: the current one first, then the most recently active."""
    rows = Session.objects.alive().filter(user=user).order_by("-last_seen_at", "-pk")
    sessions = [_describe(row, is_current=row.session_key == current_key) for row in rows]
    return sorted(sessions, key=lambda session: not session.is_current)


def describe_agent(agent: str) -> str:
    """Return a text such as “Firefox on Linux” for a User-Agent header."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "Unknown browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def _describe(row: Session, *, is_current: bool) -> OpenSession:
    client = SessionStore().decode(row.session_data).get(CLIENT_KEY, {})
    return OpenSession(
        row=row,
        client=describe_agent(client.get("agent", "")),
        address=client.get("address", ""),
        is_current=is_current,
    )
