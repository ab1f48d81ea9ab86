"""Stored contents as files: a whole set, and one version."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any, cast

import pytest
from django.test import Client

from backups.downloads import set_archive
from backups.models import BackupSet, SetStatus
from tenancy.models import Tenant, User
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
)
from tests.support.factories.inventory import DirectoryGroupFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

GROUP = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def backup_set(tenant: Tenant) -> BackupSet:
    """A set with two policies, one with a secret, and an object that was not read."""
    backup_set: BackupSet = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    for name in ("MFA", "VPN"):
        target = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP}
        payload = {
            "id": name,
            "displayName": name,
            "clientSecret": "hunter2",
            "assignments": [{"target": target}],
        }
        version = PolicyVersionFactory(workspace=tenant.workspace, payload=payload)
        BackupItemFactory(backup_set=backup_set, name=name, graph_id=name, version=version)
    BackupItemFactory(backup_set=backup_set, name="Half read", missed=True)
    return finish(backup_set, SetStatus.INCOMPLETE)


def test_an_operator_downloads_a_set_without_secrets(
    client: Client, operator: User, backup_set: BackupSet
) -> None:
    open_session(client, operator)

    response = client.get(f"{backup_set.get_absolute_url()}download/")

    body = b"".join(cast("Any", response).streaming_content)
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["tenant"], manifest["status"]) == ("Fabrikam", "incomplete")
    assert [policy["name"] for policy in manifest["policies"]] == ["MFA", "VPN"]
    for policy in manifest["policies"]:
        content = archive.read(policy["path"])
        assert hashlib.sha256(content).hexdigest() == policy["sha256"]
        assert json.loads(content)["displayName"] == policy["name"]
        assert b"hunter2" not in content
    assert f"Fabrikam set {backup_set.pk} " in response["Content-Disposition"]
    assert response["Cache-Control"] == "no-store"


def test_the_archive_of_a_set_leaves_the_memory_policy_by_policy(backup_set: BackupSet) -> None:
    chunks = list(set_archive(backup_set))

    # One for each policy, and one for the manifest.
    assert len(chunks) == 3
    assert all(chunks)


def test_an_operator_downloads_a_version_without_secrets(
    client: Client, operator: User, backup_set: BackupSet
) -> None:
    open_session(client, operator)
    item = backup_set.items.get(name="MFA")

    response = client.get(f"{item.get_absolute_url()}download/")

    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["displayName"] == "MFA"
    assert b"hunter2" not in response.content
    missed = backup_set.items.get(name="Half read")
    assert client.get(f"{missed.get_absolute_url()}download/").status_code == 404


def test_a_reader_reads_the_pages_and_downloads_nothing(
    client: Client, reader: User, backup_set: BackupSet
) -> None:
    open_session(client, reader)
    item = backup_set.items.get(name="MFA")

    for target in (backup_set, item):
        page = client.get(target.get_absolute_url())
        assert (page.status_code, b"Download" in page.content) == (200, False)
        assert client.get(f"{target.get_absolute_url()}download/").status_code == 403


def test_the_page_of_a_version_names_what_its_ids_refer_to(
    client: Client, reader: User, backup_set: BackupSet
) -> None:
    open_session(client, reader)
    DirectoryGroupFactory(tenant=backup_set.tenant, graph_id=GROUP, name="Sales team")

    text = client.get(backup_set.items.get(name="MFA").get_absolute_url()).content.decode()

    assert "<bdi>Sales team</bdi>" in text
    assert "Display name" in text
