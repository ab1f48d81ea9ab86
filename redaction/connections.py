"""Connection strings of databases, with and without a secret."""

from __future__ import annotations

import re

# Members that are public; the value of a password is hidden where its name stands.
_MEMBER = r"""(?: server | data[ ]source | addr(?:ess)? | network[ ]address | host | port | database
    | initial[ ]catalog | integrated[ ]security | trusted_connection | encrypt
    | trust[ ]?server[ ]?certificate | application[ ]name | app | provider | driver | dsn
    | multiple[ ]?active[ ]?result[ ]?sets | persist[ ]security[ ]info | connect(?:ion)?[ ]timeout
    | command[ ]timeout | timeout | (?:min|max)[ ]pool[ ]size | pooling | workstation[ ]id | filename
    | attachdbfilename | authentication | multisubnetfailover | applicationintent | failover[ ]partner
    | user[ ]instance | packet[ ]size | current[ ]language | ssl[ ]?mode | search[ ]path | charset )"""
_CONNECTION = re.compile(
    rf"(?:\s{{0,4}}{_MEMBER}\s?=[^;=\"']{{0,200}}(?:;|\Z)){{2,40}}\s{{0,4}}",
    re.IGNORECASE | re.VERBOSE,
)


def is_connection(value: str) -> bool:
    """Return whether a value is a connection string that has no password and no key."""
    return _CONNECTION.fullmatch(value) is not None
