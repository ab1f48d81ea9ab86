"""Every registered model, by every sort of staff: to look at, never to rewrite history or see a secret."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from providers.models import ProviderConnection
from tenancy.models import User
from tests.factories import OperationRunEventFactory, OperationRunItemFactory, UserFactory
from tests.isolation.conftest import SignIn, World
from tests.operations.test_prune import a_run, prune

pytestmark = pytest.mark.django_db

CANARY = "canary-Xq8~7Q.secret-of-a-connection"
OURS = [
    model for model in admin.site._registry if not model.__module__.startswith(("django.", "axes."))
]
EVERY_MODEL = pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
#: What happened is never changed by hand, whoever asks.
HISTORY = {
    "operations.OperationRun",
    "operations.OperationRunEvent",
    "operations.OperationRunItem",
    "operations.OperationRunTombstone",
    "backups.BackupSet",
    "backups.BackupItem",
    "backups.PolicyVersion",
    "backups.PolicyExport",
    "inventory.Policy",
    "inventory.DirectoryGroup",
    "inventory.RoleDefinition",
    "restores.RestoreRun",
    "restores.RestoreItem",
    "legacy_runs.InventorySyncRun",
    "legacy_runs.EntraGroupSyncRun",
    "legacy_runs.BackupScheduleRun",
}


@pytest.fixture
def furnished(world: World, settings: Any) -> World:
    """A row of every model, and a connection whose secret must never be seen."""
    from tenancy.models import Tenant

    tenant = Tenant.objects.get(pk=world.own["tenant_id"])
    ProviderConnection.objects.get(pk=world.own["connection_id"]).set_credential(CANARY)
    settings.RUN_KEEP_LAST = 1
    run, _ = a_run(tenant, 900), a_run(tenant, 1)
    prune(tenant.workspace)
    OperationRunEventFactory(run=a_run(tenant, 0), sequence=7)
    OperationRunItemFactory(run=a_run(tenant, 0))
    assert run.pk
    return world


def staff(*, view: bool = False, superuser: bool = False) -> User:
    person: User = UserFactory(is_staff=True, is_superuser=superuser)
    if view:
        person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return person


def addresses(model: type[Model]) -> dict[str, str]:
    """Each page that the admin could have for a model."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    assert row is not None, f"{model._meta.label} has no row to look at"
    return {
        "list": reverse(f"{name}_changelist"),
        "detail": reverse(f"{name}_change", args=[row.pk]),
        "history": reverse(f"{name}_history", args=[row.pk]),
        "add": reverse(f"{name}_add"),
        "delete": reverse(f"{name}_delete", args=[row.pk]),
    }


def looked_at(client: Client, address: str) -> str:
    """The text of a page of the admin, which keeps the promises of every page."""
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "object-src 'none'" in policy
    text = answer.content.decode()
    assert CANARY not in text
    assert "rl1." not in text, "not even encrypted"
    assert not re.search(r'<script(?![^>]*(?:src|nonce|type="application/json"))[^>]*>', text)
    return text


@EVERY_MODEL
def test_a_superuser_finds_everything_and_never_a_secret(
    furnished: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(staff(superuser=True))
    pages = addresses(model)

    looked_at(client, pages["list"])
    for text in ("fabrikam", "1", "9" * 40, "x" * 5000, "'<b>"):
        looked_at(client, f"{pages['list']}?q={text}")
    looked_at(client, pages["detail"])
    looked_at(client, pages["history"])


@EVERY_MODEL
def test_every_list_can_be_searched_and_is_no_bare_list_of_names(model: type[Model]) -> None:
    registered = admin.site._registry[model]

    assert registered.search_fields
    assert len(registered.list_display) > 1


@EVERY_MODEL
def test_who_may_only_look_only_looks(
    furnished: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(staff(view=True))
    pages = addresses(model)

    listed = looked_at(client, pages["list"])
    shown = looked_at(client, pages["detail"])

    assert 'name="action"' not in listed
    assert 'name="_save"' not in shown
    assert client.get(pages["add"]).status_code == 403
    assert client.get(pages["delete"]).status_code == 403
    assert client.post(pages["detail"], {}).status_code == 403
    assert client.post(pages["delete"], {"post": "yes"}).status_code == 403


@EVERY_MODEL
def test_staff_without_rights_see_nothing(
    furnished: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(staff())

    assert {client.get(address).status_code for address in addresses(model).values()} == {403}


@EVERY_MODEL
def test_history_is_never_added_changed_or_deleted(
    furnished: World, sign_in: SignIn, model: type[Model]
) -> None:
    if model._meta.label not in HISTORY:
        pytest.skip("configuration, which staff may change")
    client = sign_in(staff(superuser=True))
    pages = addresses(model)
    before = list(model._default_manager.order_by("pk").values())

    assert client.get(pages["add"]).status_code == 403
    assert client.post(pages["detail"], {"outcome": "succeeded"}).status_code == 403
    assert client.post(pages["delete"], {"post": "yes"}).status_code == 403
    chosen = [str(row["id"]) for row in before]
    client.post(pages["list"], {"action": "delete_selected", "_selected_action": chosen})

    assert list(model._default_manager.order_by("pk").values()) == before


@EVERY_MODEL
def test_every_action_says_who_may(model: type[Model]) -> None:
    request = RequestFactory().get("/admin/")
    request.user = staff(superuser=True)

    actions: dict[str, Any] = admin.site._registry[model].get_actions(request)
    for function, name, _ in actions.values():
        assert getattr(function, "allowed_permissions", ()), f"{name} is open to whoever may look"
