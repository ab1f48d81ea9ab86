"""The redacted form of a version is stored by a tick, renewed with the rules, and never trusted blindly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from backups import redactions
from backups.models import PolicyVersion, VersionRedaction
from backups.redactions import redacted_payload, renew_redactions
from dev.labeled import payloads, secrets
from redaction.json import sanitize_payload
from redaction.known_secrets import register_secret
from redaction.patch import apply_patch, patch_between
from redaction.version import RULES_VERSION
from tenancy.models import Workspace
from tests.support.factories.backups import PolicyVersionFactory

pytestmark = pytest.mark.django_db
SECRET = {"displayName": "Wi-Fi", "preSharedKey": "hunter2-hunter2", "id": "1"}


def stored(workspace: Workspace, payload: dict[str, Any]) -> PolicyVersion:
    version = PolicyVersionFactory(workspace=workspace, payload=payload)
    renew_redactions()
    return PolicyVersion.objects.select_related("redaction").get(pk=version.pk)


def test_every_payload_is_rebuilt_from_its_patch() -> None:
    samples = [payload for _, payload, _ in payloads.secrets(secrets.new_rng(1), 1)]
    samples += payloads.harmless(secrets.new_rng(1), 1)
    for payload in samples:
        redacted = sanitize_payload(payload)
        patch = json.loads(json.dumps(patch_between(payload, redacted)))

        assert apply_patch(payload, patch) == redacted


def test_a_version_gets_its_redacted_form(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = stored(workspace, SECRET)
    monkeypatch.setattr(redactions, "sanitize_payload", None)

    assert version.redaction.patch == [[["preSharedKey"], "[redacted:15]"]]
    assert redacted_payload(version) == SECRET | {"preSharedKey": "[redacted:15]"}


def test_a_version_without_a_stored_form_is_redacted(workspace: Workspace) -> None:
    version = PolicyVersionFactory(workspace=workspace, payload=SECRET)

    assert redacted_payload(version)["preSharedKey"] == "[redacted:15]"


@pytest.mark.parametrize("patch", [[[["other", "x"], "y"]], [[[7], "y"]], [[["id", 0, 0], "y"]]])
def test_a_patch_that_does_not_fit_is_not_used(workspace: Workspace, patch: Any) -> None:
    version = PolicyVersionFactory(workspace=workspace, payload=SECRET)
    VersionRedaction.objects.create(
        version=version, rules_version=RULES_VERSION, patch=patch, guessed=0
    )

    assert redacted_payload(version) == SECRET | {"preSharedKey": "[redacted:15]"}


def test_a_form_of_other_rules_is_not_used_and_is_renewed(workspace: Workspace) -> None:
    version = PolicyVersionFactory(workspace=workspace, payload=SECRET)
    VersionRedaction.objects.create(version=version, rules_version=0, patch=[], guessed=0)
    assert redacted_payload(version)["preSharedKey"] == "[redacted:15]"

    assert renew_redactions() == 1
    assert renew_redactions() == 0

    redaction = VersionRedaction.objects.get()
    assert redaction.rules_version == RULES_VERSION
    assert redaction.patch == [[["preSharedKey"], "[redacted:15]"]]


def test_older_rules_do_not_replace_newer_ones(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = stored(workspace, SECRET)
    VersionRedaction.objects.update(rules_version=RULES_VERSION + 1)

    assert renew_redactions() == 0
    redactions.store_redaction(version.pk, {})

    assert VersionRedaction.objects.get().rules_version == RULES_VERSION + 1


def test_a_secret_that_is_known_later_is_masked_in_a_stored_form(workspace: Workspace) -> None:
    version = stored(workspace, {"id": "1", "displayName": "Contoso secretive"})

    register_secret("Contoso secretive")

    assert redacted_payload(version)["displayName"] == "[redacted:17]"


def test_a_stored_form_is_deleted_with_its_version(workspace: Workspace) -> None:
    stored(workspace, SECRET)
    with connection.cursor() as cursor:
        cursor.execute("SELECT policy_versions_delete_unreferenced(%s)", [workspace.pk])

    assert not VersionRedaction.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE policy_version_redactions SET rules_version = 0",
        "UPDATE policy_version_redactions SET patch = '[]'",
        "UPDATE policy_version_redactions SET version_id = version_id + 1",
        "INSERT INTO policy_version_redactions VALUES (0, 1, '[]', 0)",
        "UPDATE policy_version_redactions SET rules_version = rules_version + 1, patch = '{}'",
    ],
)
def test_a_stored_form_is_replaced_by_newer_rules_only(
    workspace: Workspace, statement: str
) -> None:
    stored(workspace, SECRET)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
