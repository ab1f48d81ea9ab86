"""What the tests of the inventory start from. Gone with `gone=True`."""

from __future__ import annotations

import datetime as dt

import factory
from django.utils import timezone

from inventory.models import DirectoryGroup, GroupType, Policy, RoleDefinition
from tests.support.factories import TenantFactory

SEEN = factory.LazyFunction(lambda: timezone.now() - dt.timedelta(hours=1))
GONE = factory.Trait(gone_at=factory.LazyFunction(timezone.now))


class PolicyFactory(factory.django.DjangoModelFactory[Policy]):
    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    kind = "conditional_access"
    first_seen_at = SEEN
    graph_id = factory.Sequence(lambda n: f"policy-{n}")
    name = factory.Sequence(lambda n: f"Policy {n}")
    state = "enabled"

    class Meta:
        model = Policy

    class Params:
        gone = GONE


class DirectoryGroupFactory(factory.django.DjangoModelFactory[DirectoryGroup]):
    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    first_seen_at = SEEN
    graph_id = factory.Sequence(lambda n: f"group-{n}")
    name = factory.Sequence(lambda n: f"Group {n}")
    group_type = GroupType.SECURITY

    class Meta:
        model = DirectoryGroup

    class Params:
        gone = GONE


class RoleDefinitionFactory(factory.django.DjangoModelFactory[RoleDefinition]):
    tenant = factory.SubFactory(TenantFactory)
    workspace = factory.SelfAttribute("tenant.workspace")
    first_seen_at = SEEN
    graph_id = factory.Sequence(lambda n: f"role-{n}")
    name = factory.Sequence(lambda n: f"Role {n}")
    actions = factory.LazyFunction(lambda: ["microsoft.directory/users/standard/read"])

    class Meta:
        model = RoleDefinition

    class Params:
        gone = GONE
