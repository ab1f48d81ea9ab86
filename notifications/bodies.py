"""The bodies of webhooks: versioned JSON, and the messages of Slack and Microsoft Teams.

They say what happened and where to look, with names and counts. No content of a policy is part of an
event, and what looks like a secret is masked.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.conf import settings

from notifications.kinds import EndpointFormat, EventKind, Level, SystemEventKind
from notifications.models import NotificationEvent
from redaction.text import sanitize_text

#: Increased when a field is removed, renamed, or gets another meaning; new fields keep it.
VERSION = 1
#: What the id in `subject` belongs to.
SUBJECTS = {
    EventKind.RUN_FAILED: "run",
    EventKind.RUN_RECOVERED: "run",
    EventKind.INCIDENT_OPENED: "incident",
    EventKind.INCIDENT_CLOSED: "incident",
    EventKind.BACKUP_LATE: "tenant",
    EventKind.CREDENTIAL_EXPIRES: "connection",
    EventKind.APPROVAL_WANTED: "restore",
    EventKind.POLICIES_CHANGED: "backup_set",
    SystemEventKind.ENDPOINT_DISABLED: "webhook_endpoint",
    SystemEventKind.TEST: "webhook_endpoint",
}
_TEAMS_COLORS = {Level.INFO: "Default", Level.WARNING: "Warning", Level.ERROR: "Attention"}


def build_body(event: NotificationEvent, endpoint_format: str) -> str:
    """Return the body about an event for an endpoint of this format."""
    build = {
        EndpointFormat.STANDARD: _standard,
        EndpointFormat.SLACK: _slack,
        EndpointFormat.TEAMS: _teams,
    }[EndpointFormat(endpoint_format)]
    return json.dumps(build(event), separators=(",", ":"))


def type_of(kind: str) -> str:
    """Return the type of the body: the kind with its first word as a group, `run.failed`."""
    return kind.replace("_", ".", 1)


def _url(event: NotificationEvent) -> str | None:
    return f"{settings.SITE_URL}{event.path}" if settings.SITE_URL and event.path else None


def _standard(event: NotificationEvent) -> dict[str, Any]:
    tenant = event.tenant
    concerned = None
    if tenant:
        concerned = {
            "id": tenant.pk,
            "name": sanitize_text(tenant.name),
            "entra_tenant_id": str(tenant.external_id),
        }
    workspace = event.workspace
    return {
        "type": type_of(event.kind),
        "timestamp": event.created_at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        "version": VERSION,
        "data": {
            "level": event.level,
            "title": sanitize_text(event.title),
            "detail": sanitize_text(event.detail),
            "url": _url(event),
            "workspace": {"slug": workspace.slug, "name": sanitize_text(workspace.name)},
            "tenant": concerned,
            "subject": {
                "type": SUBJECTS[event.kind],  # type: ignore[index]
                "id": event.subject_id,
            },
        },
    }


def _slack(event: NotificationEvent) -> dict[str, Any]:
    """Return a message of an incoming webhook. Names are plain text, in which nothing is a mention."""
    title, url = sanitize_text(event.title), _url(event)
    text = "\n".join(filter(None, (title, sanitize_text(event.detail))))
    footer = _slack_text(sanitize_text(event.workspace.name))
    if url:
        footer = f"{footer} · <{url}|Open in Runledger>"
    return {
        # Shown in notifications of Slack, where the blocks are not.
        "text": _slack_text(title),
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": footer}]},
        ],
    }


def _slack_text(text: str) -> str:
    """Escape the characters with which Slack begins links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(event: NotificationEvent) -> dict[str, Any]:
    """Return what a workflow “When a Teams webhook request is received” posts: an adaptive card.

    A text run, unlike a text block, shows no Markdown, so that a name cannot be a link.
    """
    url = _url(event)
    color = _TEAMS_COLORS[Level(event.level)]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [_text_run(event.title, weight="Bolder", color=color)],
    }
    if event.detail:
        card["body"].append(_text_run(event.detail))
    card["body"].append(_text_run(event.workspace.name, isSubtle=True, size="Small"))
    if url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Runledger", "url": url}]
    content_type = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": content_type, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text_run(text: str, **style: Any) -> dict[str, Any]:
    run = {"type": "TextRun", "text": sanitize_text(text), **style}
    return {"type": "RichTextBlock", "inlines": [run]}
