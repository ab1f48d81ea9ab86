"""Writes docs/kinds.md from the kinds that Runledger declares: `python -m dev.kinds_page`."""

from __future__ import annotations

import textwrap
from pathlib import Path

from providers.graph import type_table
from providers.graph.kinds import KIND
from providers.graph.permissions import is_required
from providers.graph.policy_kind import PolicyKind, Restore

PAGE = Path(__file__).resolve().parent.parent / "docs" / "kinds.md"
_HEAD = """# Kinds of objects

<!-- Written by `python -m dev.kinds_page`; a test compares it with the code. -->

Runledger reads these {count} kinds from Microsoft Graph. Each is declared in one file under
`providers/graph/kinds/`. The permissions are application permissions. Every connection is to have
the required ones; without an optional one, checks and syncs leave its kinds out and say so, and
only a backup whose schedule selects such a kind reports it as a failure.

- **Backup and restore**: objects are backed up, compared with the tenant, changed back and created
  again, with their assignments.
- **Backup and preview**: objects are backed up and compared; a restore shows the differences and
  writes nothing.
- **Inventory only**: objects are listed, so that other pages can name them.
- **Looked up**: a restore looks up the single objects that others refer to.

A restore never writes an object of which Microsoft Graph does not return everything, such as a
pre-shared key: the preview names what the backup does not contain.

Paths, permissions and names of arguments come from Microsoft's documentation and the models of
msgraph-beta-sdk 1.66.0 (October 2026). They are tested against the Graph sandbox and have not been
tried against the live service. The last columns say which other tools cover a kind:
IntuneManagement 3.1.6 and IntuneCD, as read in their public sources in November 2026.

| Kind | Runledger | Read permission | Write permission | IntuneManagement | IntuneCD |
| --- | --- | --- | --- | --- | --- |
"""
_UNREAD = """
## Not contained

Runledger does not read these parts of objects, which are navigation properties by the metadata of
{source} (`python -m dev.graph_metadata`). A restore leaves them as they are.
The page of a backup and each preview name them, and a restored object is “verified without” them.
Reports about devices and users, content such as mail and files, and what Graph computes are no part
of a configuration.

"""
_LEVELS = {
    Restore.FULL: "Backup and restore",
    Restore.PREVIEW_ONLY: "Backup and preview",
    Restore.NEVER: "Backup only",
}
_INTUNE_MANAGEMENT = frozenset(
    {
        *("settings_catalog", "device_configuration", "compliance", "conditional_access"),
        *("named_location", "app_protection", "app_configuration", "device_app_configuration"),
        *("mobile_apps", "autopilot_profiles", "policy_sets", "feature_updates"),
        *("quality_updates", "intune_roles", "scope_tags", "notification_templates"),
        *("apple_enrollment_types", "assignment_filters", "remediations", "branding_profiles"),
        *("device_management_scripts", "device_shell_scripts", "custom_attributes"),
        *("terms_and_conditions", "enrollment_configuration", "administrative_templates"),
        "endpoint_security",
    }
)
_INTUNE_CD = frozenset(
    {
        *("settings_catalog", "device_configuration", "compliance", "linux_compliance"),
        *("conditional_access", "app_protection", "app_configuration", "mobile_apps"),
        *("compliance_scripts", "custom_attributes", "device_categories", "intune_roles"),
        *("enrollment_configuration", "assignment_filters", "administrative_templates"),
        *("endpoint_security", "notification_templates", "device_management_scripts"),
        *("remediations", "reusable_settings", "scope_tags", "device_shell_scripts"),
        *("driver_updates", "autopilot_profiles", "feature_updates", "quality_updates"),
        *("authentication_methods", "authorization_policy", "security_defaults"),
        "device_app_configuration",
    }
)


def render() -> str:
    """Return the page."""
    kinds = sorted(KIND.values(), key=lambda kind: kind.label_plural)
    table = "".join(map(_row, kinds))
    source = f"{type_table.SOURCE['package']} {type_table.SOURCE['version']}"
    lists = "".join(
        textwrap.fill(f"- {kind.label_plural}: {_unread(kind)}", 100, subsequent_indent="  ") + "\n"
        for kind in kinds
        if _unread(kind)
    )
    head = _HEAD.format(count=len(kinds))
    return head + table + _UNREAD.format(source=source) + lists.rstrip() + "\n"


def _unread(kind: PolicyKind) -> str:
    """The parts that objects of a kind can have and that backups do not contain."""
    if not kind.is_backed_up:
        return ""
    read = dict.fromkeys([*kind.service.hidden, *kind.required])
    for sample in kind.samples:
        read |= dict.fromkeys(sample)
    parts: set[str] = set()
    for name in type_table.types_of(kind.key):
        typed = {"@odata.type": f"#microsoft.graph.{name}"}
        if kind.collections and typed["@odata.type"] not in kind.collections:
            continue
        links = dict.fromkeys(link.name for link in kind.links(typed))
        parts.update(kind.unread(read | links | typed))
    return ", ".join(sorted(parts))


def _row(kind: PolicyKind) -> str:
    level = "Inventory only" if kind.is_mirrored_only else _LEVELS[kind.restore]
    if kind.looked_up_at:
        level = "Looked up"
    writes = f"`{kind.write_permission}`" if kind.restore is Restore.FULL else "none"
    needed = "required" if is_required(kind) else "optional"
    cells = (
        kind.label_plural,
        level,
        f"`{kind.read_permission}` ({needed})",
        writes,
        "yes" if kind.key in _INTUNE_MANAGEMENT else "no",
        "yes" if kind.key in _INTUNE_CD else "no",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
