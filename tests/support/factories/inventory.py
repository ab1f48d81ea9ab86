"""Factories of inventory objects; `missing=True` makes one that was deleted in the tenant."""

from __future__ import annotations

import datetime as dt

import factory
from django.utils import timezone

from inventory.models import DirectoryGroup, GroupType, Policy, RoleDefinition
from tests.support.factories import TenantFactory

SEEN = factory.LazyFunction(lambda: timezone.now() - dt.timedelta(hours=1))
MISSING = factory.Trait(missing_since=factory.LazyFunction(timezone.now))


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
        missing = MISSING


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
        missing = MISSING


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
        missing = MISSING
