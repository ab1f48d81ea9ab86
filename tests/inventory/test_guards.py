"""The database rejects invalid inventory rows; each guard is attacked with plain SQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tenancy.models import Tenant
from tests.support.factories import TenantFactory
from tests.support.factories.inventory import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)

pytestmark = pytest.mark.django_db

EVERY_TABLE = pytest.mark.parametrize(
    "factory", [PolicyFactory, DirectoryGroupFactory, RoleDefinitionFactory]
)


def change(row: Any, assignment: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {assignment} WHERE id = %s", [*values, row.pk]
        )


@EVERY_TABLE
def test_no_object_belongs_to_a_tenant_of_another_workspace(factory: Any, tenant: Tenant) -> None:
    with pytest.raises(DatabaseError, match="tenant_of_workspace"):
        change(factory(tenant=tenant), "tenant_id = %s", TenantFactory().pk)


@EVERY_TABLE
def test_no_object_is_missing_before_it_was_first_seen(factory: Any, tenant: Tenant) -> None:
    with pytest.raises(DatabaseError, match="missing_after_seen"):
        change(factory(tenant=tenant), "missing_since = first_seen_at - interval '1 second'")


@EVERY_TABLE
def test_no_object_is_without_an_id_or_stored_twice(factory: Any, tenant: Tenant) -> None:
    first, second = factory(tenant=tenant), factory(tenant=tenant)

    with pytest.raises(DatabaseError, match="has_an_id"):
        change(first, "graph_id = ''")
    with pytest.raises(DatabaseError, match="once_per_object"):
        change(second, "graph_id = %s", first.graph_id)


def test_no_group_has_an_unknown_type(tenant: Tenant) -> None:
    with pytest.raises(DatabaseError, match="groups_type_known"):
        change(DirectoryGroupFactory(tenant=tenant), "group_type = 'other'")
