"""Every registered model, viewed by every kind of staff: no history changes, no secret is shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory

from tenancy.model_admin import ModelAdmin
from tenancy.models import Workspace
from tenancy.roles import Role
from tests.isolation.admin_pages import CANARY, REGISTERED, addresses, create_staff
from tests.isolation.conftest import SignIn, World
from tests.support.factories import MembershipFactory

pytestmark = pytest.mark.django_db

EVERY_MODEL = pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
#: Records of what happened; no user may change them.
HISTORY = {
    "operations.OperationRun",
    "operations.OperationRunEvent",
    "operations.OperationRunItem",
    "operations.OperationRunTombstone",
    "operations.InvariantResult",
    "operations.OperationTick",
    "backups.ScheduleRevision",
    "backups.TimeZoneRules",
    "backups.BackupSet",
    "backups.BackupItem",
    "backups.SharedItems",
    "backups.PolicyVersion",
    "backups.PolicyExport",
    "backups.TenantFreshness",
    "backups.VersionCandidate",
    "backups.VersionRedaction",
    "inventory.Policy",
    "inventory.DirectoryGroup",
    "inventory.RoleDefinition",
    "restores.RestoreRun",
    "restores.RestoreItem",
    "legacy_runs.InventorySyncRun",
    "legacy_runs.EntraGroupSyncRun",
    "legacy_runs.BackupScheduleRun",
    "axes.AccessAttempt",
    "axes.AccessLog",
    "axes.AccessFailureLog",
}


def page_text(client: Client, address: str) -> str:
    """Return the text of an admin page after checking what every page has to fulfill."""
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "object-src 'none'" in policy
    text = response.content.decode()
    assert CANARY not in text
    assert "rl1." not in text, "not even encrypted"
    assert not re.search(r'<script(?![^>]*(?:src|nonce|type="application/json"))[^>]*>', text)
    return text


@EVERY_MODEL
def test_a_superuser_sees_every_model_but_no_secret(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(create_staff(superuser=True))
    pages = addresses(model)

    page_text(client, pages["list"])
    for text in ("fabrikam", "1", "9" * 40, "x" * 5000, "'<b>"):
        page_text(client, f"{pages['list']}?q={text}")
    page_text(client, pages["detail"])
    page_text(client, pages["history"])


@EVERY_MODEL
def test_every_list_has_a_search_and_several_columns(model: type[Model]) -> None:
    registered = admin.site._registry[model]

    assert registered.search_fields
    assert len(registered.list_display) > 1


@EVERY_MODEL
def test_view_permission_allows_viewing_only(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(create_staff(view=True))
    pages = addresses(model)

    list_text = page_text(client, pages["list"])
    detail_text = page_text(client, pages["detail"])

    assert 'name="action"' not in list_text
    assert 'name="_save"' not in detail_text
    assert client.get(pages["add"]).status_code == 403
    assert client.get(pages["delete"]).status_code == 403
    assert client.post(pages["detail"], {}).status_code == 403
    assert client.post(pages["delete"], {"post": "yes"}).status_code == 403


@EVERY_MODEL
def test_staff_without_permissions_see_no_model(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    client = sign_in(create_staff())

    assert {client.get(address).status_code for address in addresses(model).values()} == {403}


@EVERY_MODEL
def test_history_is_never_added_changed_or_deleted(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    if model._meta.label not in HISTORY:
        pytest.skip("configuration, which staff may change")
    client = sign_in(create_staff(superuser=True))
    pages = addresses(model)
    before = list(model._default_manager.order_by("pk").values())

    assert client.get(pages["add"]).status_code == 403
    assert client.post(pages["detail"], {"outcome": "succeeded"}).status_code == 403
    assert client.post(pages["delete"], {"post": "yes"}).status_code == 403

    assert list(model._default_manager.order_by("pk").values()) == before


def test_the_labels_of_models_are_plurals_and_keep_capitals() -> None:
    for model in REGISTERED:
        names = f"{model._meta.verbose_name}, {model._meta.verbose_name_plural}"
        assert not names.endswith("ss"), names
        assert not re.search(r"\b(api|entra|graph|id|sign in)\b", names), names


def test_every_model_of_this_project_is_registered() -> None:
    models = [
        model
        for app in apps.get_app_configs()
        if (settings.BASE_DIR / app.label).is_dir()
        for model in app.get_models()
        if model._meta.managed
    ]

    assert len(models) > 20
    assert set(models) <= set(REGISTERED)


@EVERY_MODEL
def test_every_model_uses_the_common_model_admin(model: type[Model]) -> None:
    assert isinstance(REGISTERED[model], ModelAdmin)


@EVERY_MODEL
def test_every_action_requires_a_permission(model: type[Model]) -> None:
    request = RequestFactory().get("/admin/")
    request.user = create_staff(superuser=True)

    actions: dict[str, Any] = REGISTERED[model].get_actions(request)
    assert "delete_selected" not in actions
    for function, name, _ in actions.values():
        assert getattr(function, "allowed_permissions", ()), (
            f"{name} requires no permission beyond viewing"
        )


@pytest.mark.parametrize(
    "query",
    [
        "tenancy/user/?password__startswith=p",
        "tenancy/user/?password=p",
        "tenancy/membership/?user__password__startswith=p",
        "providers/providerconnection/?encrypted_credential__startswith=rl1",
        "providers/providerconnection/?encrypted_credential__contains=a",
        "backups/policyexport/?archive__isnull=0",
        "axes/accesslog/?session_hash__startswith=0",
    ],
)
def test_a_secret_cannot_be_guessed_by_filters(world: World, sign_in: SignIn, query: str) -> None:
    assert sign_in(create_staff(view=True)).get(f"/admin/{query}").status_code == 400


@pytest.mark.parametrize(
    "model",
    [model for model in REGISTERED if hasattr(model, "get_absolute_url")],
    ids=lambda model: model._meta.label,
)
def test_view_on_site_is_shown_to_members_only(
    world: World, sign_in: SignIn, model: type[Model]
) -> None:
    user = create_staff(superuser=True)
    before = page_text(sign_in(user), addresses(model)["detail"])
    for workspace in Workspace.objects.all():
        MembershipFactory(user=user, workspace=workspace, role=Role.READER)

    after = page_text(sign_in(user), addresses(model)["detail"])

    assert "View on site" not in before
    assert "View on site" in after
