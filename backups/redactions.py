"""The redacted form of policy versions: stored by a tick, renewed when the rules change."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import connection
from django.db.models import Q

from backups.models import PolicyVersion, VersionRedaction
from redaction import exact_json
from redaction.json import sanitize_payload
from redaction.known_secrets import has_known_secret
from redaction.patch import Patch, apply_patch, patch_between
from redaction.version import RULES_VERSION

log = logging.getLogger(__name__)
#: A renewal reads so many versions at once, and ends after so many seconds; the next one continues.
BATCH = 20
RENEWAL_SECONDS = 10

# A version that was deleted in the meantime gets none, and newer rules win.
_STORE = """
INSERT INTO policy_version_redactions (version_id, rules_version, patch, guessed)
SELECT id, %(rules)s, %(patch)s::jsonb, %(guessed)s FROM policy_versions WHERE id = %(version)s FOR KEY SHARE
ON CONFLICT (version_id) DO UPDATE
SET rules_version = EXCLUDED.rules_version, patch = EXCLUDED.patch, guessed = EXCLUDED.guessed
WHERE policy_version_redactions.rules_version < EXCLUDED.rules_version
"""


def redacted_payload(version: PolicyVersion) -> Any:
    """Return the content of a version without secrets; quickly if its redacted form is stored.

    Read the version with `select_related("redaction")`. A secret that this process knows is masked
    even if the rules did not recognize it when the form was stored.
    """
    redaction: VersionRedaction | None = getattr(version, "redaction", None)
    if redaction and redaction.rules_version == RULES_VERSION:
        try:
            content = apply_patch(version.payload, redaction.patch)
        except (LookupError, TypeError):
            log.warning("the redaction of version %s does not fit it", version.pk)
        else:
            if not has_known_secret(exact_json.dumps(content, ensure_ascii=False)):
                return content
    return sanitize_payload(version.payload)


def store_redaction(version_id: int, payload: Any) -> None:
    """Store the redacted form of a version by the rules of this process."""
    redacted = sanitize_payload(payload)
    patch = patch_between(payload, redacted)
    values: dict[str, int | str] = {
        "version": version_id,
        "rules": RULES_VERSION,
        "patch": exact_json.dumps(patch),
        "guessed": len(_guesses(payload, redacted)) if patch else 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, values)


def guessed_count(version: PolicyVersion) -> int:
    """Return how many values are hidden only because they look random; no rule names them."""
    redaction: VersionRedaction | None = getattr(version, "redaction", None)
    if redaction and redaction.rules_version == RULES_VERSION:
        return redaction.guessed
    return len(_guesses(version.payload, sanitize_payload(version.payload)))


def revealed_payload(version: PolicyVersion) -> Any:
    """Return the content without the secrets that rules name, but with values that look random."""
    return sanitize_payload(version.payload, guess=False)


def _guesses(payload: Any, redacted: Any) -> Patch:
    return patch_between(sanitize_payload(payload, guess=False), redacted)


def renew_redactions() -> int:
    """Store the redacted forms that are missing or of older rules; return their number."""
    outdated = PolicyVersion.objects.filter(
        Q(redaction=None) | Q(redaction__rules_version__lt=RULES_VERSION)
    ).order_by("-id")
    renewed = 0
    ends_at = time.monotonic() + RENEWAL_SECONDS
    while time.monotonic() < ends_at:
        batch = list(outdated.values_list("pk", "payload")[:BATCH])
        for version_id, payload in batch:
            store_redaction(version_id, payload)
        renewed += len(batch)
        if len(batch) < BATCH:
            break
    return renewed
