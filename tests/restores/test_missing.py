"""Objects that a tenant lacks: a person restores or replaces all of them, and previews once."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from backups.models import BackupItem
from operations.testing import run_now
from restores import planning, services
from restores.missing import Choices, list_missing, resolve_missing
from restores.models import Action, ItemState, Replacement, RestoreRun
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.factories.inventory import DirectoryGroupFactory
from tests.support.restores import RestoreScenario, objects_named, offered_items, only_item
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ALL = {"assignments": "backup"}
MISSING = str(uuid.uuid4())
TARGET = {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": MISSING}


@pytest.fixture
def other_group(scenario: RestoreScenario) -> str:
    """A group of the tenant, which the inventory knows."""
    graph_id = next(iter(scenario.objects("groups")))
    DirectoryGroupFactory(tenant=scenario.tenant, graph_id=graph_id, name="Sales")
    return graph_id


@pytest.fixture
def policy(scenario: RestoreScenario) -> BackupItem:
    """A deleted policy that was assigned to a group that does not exist."""
    item = scenario.items("settings_catalog")[0]
    scenario.change(item, assignments=[{"id": "1", "target": TARGET}], description="assigned")
    item = scenario.back_up_again(item)
    scenario.delete(item)
    return item


@dataclass
class Chain:
    """A deleted policy, whose group was deleted, whose member was deleted, whose member is unknown."""

    policy: BackupItem
    group: BackupItem
    member: BackupItem
    device: str

    @property
    def lacking(self) -> set[tuple[str, str]]:
        """What the policy needs, by kind and id."""
        members = {self.member.graph_id, self.device}
        return {("groups", self.group.graph_id), *(("directory_objects", each) for each in members)}


@pytest.fixture
def chain(scenario: RestoreScenario) -> Chain:
    ids = {name: str(uuid.uuid4()) for name in ("group", "member", "device")}
    tenant_id = scenario.tenant.external_id
    group = {"securityEnabled": True, "groupTypes": [], "mailEnabled": False, "mailNickname": "g"}
    for name, member in (("group", "member"), ("member", "device")):
        row = {**group, "id": ids[name], "displayName": f"The {name}", "members": [ids[member]]}
        scenario.graph.put_object(tenant_id, "groups", row)
    policy = scenario.items("conditional_access")[0]
    users = {"includeUsers": ["All"], "excludeGroups": [ids["group"]]}
    conditions = scenario.objects("conditional_access")[policy.graph_id]["conditions"]
    scenario.change(policy, conditions={**conditions, "users": users})
    kinds = ["groups", "conditional_access"]
    scenario.schedule = BackupScheduleFactory(tenant=scenario.tenant, kinds=kinds)
    policy = scenario.back_up_again(policy)
    groups = {item.graph_id: item for item in scenario.items("groups")}
    chain = Chain(policy, groups[ids["group"]], groups[ids["member"]], ids["device"])
    for item in (chain.policy, chain.group, chain.member):
        scenario.delete(item)
    return chain


def test_one_preview_shows_all_that_is_missing_and_a_second_one_has_all_of_it(
    scenario: RestoreScenario, chain: Chain
) -> None:
    blocked = scenario.preview([chain.policy])
    replacement = str(uuid.uuid4())
    scenario.graph.put_object(scenario.tenant.external_id, "directory_objects", {"id": replacement})

    restore = scenario.preview_again(
        blocked,
        added=[chain.group, chain.member],
        replacements={("directory_objects", chain.device): replacement},
    )
    run = scenario.execute(restore)

    missing = list_missing(blocked, list(blocked.items.all()))
    assert {(each.kind, each.id) for each in missing} == chain.lacking
    assert {each.id: list(each.needed_by) for each in missing} == {
        chain.group.graph_id: [chain.policy.name],
        chain.member.graph_id: ["The group"],
        chain.device: ["The member"],
    }
    assert set(offered_items(blocked)) == {chain.group, chain.member}
    assert {item.action for item in restore.items.all()} == {Action.CREATE}
    assert {item.state for item in restore.items.all()} == {ItemState.VERIFIED}, run.failures
    (member,) = objects_named(scenario, chain.member)
    assert member["members"] == [replacement]


def test_what_the_selected_objects_lack_comes_first(
    scenario: RestoreScenario, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview stores a limited number, without which nothing further down is of use."""
    monkeypatch.setattr(planning, "MAX_MISSING", 2)

    blocked = scenario.preview([chain.policy])

    ids = [each["id"] for each in only_item(blocked).missing]
    assert ids == [chain.group.graph_id, chain.member.graph_id]


def test_what_the_restore_contains_already_is_not_offered_again(
    scenario: RestoreScenario, chain: Chain
) -> None:
    """Although the policy lacks the group, which is blocked: the group lacks its member."""
    blocked = scenario.preview([chain.policy, chain.group])

    restore = scenario.preview_again(blocked, added=[chain.group, chain.member])

    reasons = {item.reason_code for item in blocked.items.all()}
    assert reasons == {"restore_reference_missing"}
    assert offered_items(blocked) == [chain.member]
    names = sorted(item.name for item in (chain.policy, chain.group, chain.member))
    assert sorted(item.name for item in restore.items.all()) == names


def test_a_list_that_cannot_be_read_hides_no_missing_object_of_the_selected_ones(
    scenario: RestoreScenario, chain: Chain
) -> None:
    scenario.graph.fault(scenario.tenant.external_id, "license", kind="directory_objects")

    blocked = scenario.preview([chain.policy])

    assert [each["id"] for each in only_item(blocked).missing] == [chain.group.graph_id]
    assert offered_items(blocked) == [chain.group]


def test_a_form_that_is_sent_twice_starts_one_preview(
    scenario: RestoreScenario, chain: Chain, manager: User
) -> None:
    blocked = scenario.preview([chain.policy])
    choices, submission = Choices(added=[chain.group.pk]), uuid.uuid4()

    first, started = resolve_missing(blocked, choices, by=manager, submission=submission)
    second, joined = resolve_missing(blocked, choices, by=manager, submission=submission)

    assert first == second
    assert (started.created, joined.created) == (True, False)


def test_all_mistakes_are_shown_at_once_and_what_was_entered_stays(
    scenario: RestoreScenario, chain: Chain, manager: User
) -> None:
    blocked = scenario.preview([chain.policy])
    browser = open_session(Client(), manager)
    group, device = f"groups/{chain.group.graph_id}", f"directory_objects/{chain.device}"
    entered = {f"replacement-{group}": "No such group", f"replacement-{device}": "<b>no id</b>"}

    response = browser.post(address_of(blocked), {**entered, "added": [chain.member.pk]})

    page = response.content.decode()
    assert response.status_code == 400
    assert "The inventory has no group with this name or ID" in page
    assert "Enter the ID of a" in page
    assert "No such group" in page
    assert "&lt;b&gt;no id&lt;/b&gt;" in page
    assert f'value="{chain.member.pk}" checked' in page
    assert f'value="{chain.group.pk}" checked' not in page
    assert not Replacement.objects.exists()
    assert RestoreRun.objects.get().is_previewed


def test_choices_beyond_the_limit_of_a_restore_stay_in_the_form(
    scenario: RestoreScenario, chain: Chain, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = scenario.preview([chain.policy])
    browser = open_session(Client(), manager)
    field, replacement = f"replacement-directory_objects/{chain.device}", str(uuid.uuid4())
    monkeypatch.setattr(services, "MAX_ITEMS", 2)

    offered = browser.get(blocked.get_absolute_url()).content.decode()
    response = browser.post(
        address_of(blocked), {"added": [chain.group.pk, chain.member.pk], field: replacement}
    )

    page = response.content.decode()
    assert offered.count('name="added"') == 2
    assert len(re.findall(r'name="added" value="\d+" checked', offered)) == 1
    assert response.status_code == 400
    assert "at most 2 objects. This one has 1, so select at most 1 missing ones" in page
    assert f'value="{chain.group.pk}" checked' in page
    assert f'value="{chain.member.pk}" checked' in page
    assert f'value="{replacement}"' in page
    assert not Replacement.objects.exists()
    assert RestoreRun.objects.get().is_previewed


def test_forged_choices_change_nothing(
    scenario: RestoreScenario, policy: BackupItem, manager: User
) -> None:
    """What the restore does not lack is neither added nor replaced, nor is that of another tenant."""
    blocked = scenario.preview([policy], **ALL)
    elsewhere = TenantFactory()
    foreign = Replacement.objects.create(
        workspace=elsewhere.workspace,
        tenant=elsewhere,
        kind="groups",
        missing_id="a",
        replacement_id="b",
        name="",
    )
    other = scenario.items("compliance")[0]
    browser = open_session(Client(), manager)
    forged = {
        "added": [other.pk, "x", 10**30],
        "removed": [foreign.pk, "\x00"],
        "replacement-": "a",
    }

    refused = browser.post(address_of(blocked), forged | {"replacement-users": "\x00b"})
    accepted = browser.post(address_of(blocked), {**forged, "replacement-": "\x00 "})

    assert refused.status_code == 302
    assert refused["Location"] == blocked.get_absolute_url()
    assert accepted["Location"] == RestoreRun.objects.latest("pk").get_absolute_url()
    assert only_item(RestoreRun.objects.latest("pk")).name == policy.name
    assert Replacement.objects.get() == foreign


def address_of(restore: RestoreRun) -> str:
    """Return the address to which the choices for missing objects are sent."""
    return reverse("restore_missing", args=[restore.workspace.slug, restore.pk])


def test_a_missing_group_is_replaced_in_this_restore_and_the_next(
    scenario: RestoreScenario, policy: BackupItem, other_group: str
) -> None:
    blocked = scenario.preview([policy], **ALL)

    restore = replace(scenario, blocked, "Sales")
    run = scenario.execute(restore)

    assert only_item(blocked).reason_code == "restore_reference_missing"
    assert only_item(restore).state == ItemState.VERIFIED, run.failures
    (restored,) = objects_named(scenario, policy)
    assert [each["target"]["groupId"] for each in restored["assignments"]] == [other_group]
    again = only_item(scenario.preview([policy], **ALL))
    assert again.action == Action.UNCHANGED


def replace(
    scenario: RestoreScenario, restore: RestoreRun, text: str, missing: str = MISSING
) -> RestoreRun:
    return scenario.preview_again(restore, replacements={("groups", missing): text})


def test_a_preview_shows_the_choice_and_its_removal(
    scenario: RestoreScenario, policy: BackupItem, other_group: str, manager: User
) -> None:
    browser = open_session(Client(), manager)
    blocked = scenario.preview([policy], **ALL)
    asks = browser.get(blocked.get_absolute_url()).content.decode()
    response = browser.post(address_of(blocked), {f"replacement-groups/{MISSING}": other_group})
    restore = RestoreRun.objects.with_scope().latest("pk")
    assert restore.preview_run
    run_now(restore.preview_run)
    shows = browser.get(restore.get_absolute_url()).content.decode()

    removed = scenario.preview_again(restore, removed=[Replacement.objects.get()])

    assert f'name="replacement-groups/{MISSING}"' in asks
    assert "Use instead" in asks
    assert response["Location"] == restore.get_absolute_url()
    assert "in place of" in shows
    assert only_item(restore).action == Action.CREATE
    assert only_item(removed).reason_code == "restore_reference_missing"
    assert not Replacement.objects.exists()


def test_a_replacement_that_is_gone_too_replaces_nothing(
    scenario: RestoreScenario, policy: BackupItem, other_group: str
) -> None:
    restore = replace(scenario, scenario.preview([policy], **ALL), other_group)
    scenario.graph.delete_object(scenario.tenant.external_id, "groups", other_group)

    run = scenario.execute(restore)

    assert only_item(restore).state == ItemState.FAILED
    assert run.outcome == "failed"
    assert not objects_named(scenario, policy)


def test_a_replacement_is_removed_and_another_one_chosen_in_one_form(
    scenario: RestoreScenario, policy: BackupItem, other_group: str
) -> None:
    replace(scenario, scenario.preview([policy], **ALL), other_group)
    scenario.graph.delete_object(scenario.tenant.external_id, "groups", other_group)
    graph_id = next(iter(scenario.objects("groups")))
    DirectoryGroupFactory(tenant=scenario.tenant, graph_id=graph_id, name="Support")
    blocked = scenario.preview([policy], **ALL)

    restore = scenario.preview_again(
        blocked,
        replacements={("groups", MISSING): "Support"},
        removed=[Replacement.objects.get()],
    )

    assert only_item(blocked).reason_code == "restore_reference_missing"
    assert only_item(restore).action == Action.CREATE
    assert Replacement.objects.get().replacement_id == graph_id


def test_only_one_present_object_of_the_tenant_is_a_replacement(
    scenario: RestoreScenario, policy: BackupItem
) -> None:
    DirectoryGroupFactory(tenant=TenantFactory(), name="Elsewhere")
    DirectoryGroupFactory(tenant=scenario.tenant, name="Gone", missing=True)
    for _ in range(2):
        DirectoryGroupFactory(tenant=scenario.tenant, name="Twice")
    blocked = scenario.preview([policy], **ALL)

    for text, message in {
        "Unknown": "no group with this name",
        "Elsewhere": "no group with this name",
        "Gone": "no group with this name",
        "Twice": "More than one group",
    }.items():
        with pytest.raises(ValidationError, match=message):
            replace(scenario, blocked, text)

    assert not Replacement.objects.exists()
    blocked.refresh_from_db()
    assert blocked.is_previewed


def test_an_object_that_the_restore_does_not_lack_is_not_replaced(
    scenario: RestoreScenario, policy: BackupItem, other_group: str
) -> None:
    blocked = scenario.preview([policy], **ALL)

    with pytest.raises(ValidationError, match="lacks this one"):
        replace(scenario, blocked, "Sales", missing=other_group)


def test_a_restore_that_is_no_longer_in_preview_is_not_previewed_again(
    scenario: RestoreScenario, policy: BackupItem, other_group: str
) -> None:
    blocked = scenario.preview([policy], **ALL)
    services.discard(blocked)

    with pytest.raises(ValidationError, match="no longer in preview"):
        replace(scenario, blocked, "Sales")

    assert not Replacement.objects.exists()


@pytest.mark.parametrize(
    ("replacement_id", "is_own_tenant", "constraint"),
    [
        ("b", False, "restore_replacements_tenant_of_workspace"),
        ("a", True, "replacements_of_another_object"),
        ("", True, "replacements_of_another_object"),
    ],
)
def test_the_database_refuses_what_is_no_replacement(
    tenant: Tenant, replacement_id: str, is_own_tenant: bool, constraint: str
) -> None:
    tenant_id = tenant.pk if is_own_tenant else TenantFactory().pk
    values = [tenant.workspace_id, tenant_id, replacement_id]

    with connection.cursor() as cursor, pytest.raises(IntegrityError, match=constraint):
        cursor.execute(
            "INSERT INTO restore_replacements (workspace_id, tenant_id, kind, missing_id, "
            "replacement_id, name) VALUES (%s, %s, 'groups', 'a', %s, '')",
            values,
        )
