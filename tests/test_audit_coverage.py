"""Every table is in the audit log or left out for a reason, and its trigger has these options."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from audit.registry import audited_tables, excluded_tables

#: Columns with such a name hold a secret, unless they are listed here.
SECRET_NAME = re.compile(r"password|secret|token|credential|private|salt|(^|_)key$|seed|code")
NO_SECRETS = {
    ("auth_group_permissions", "permission_id"),
    ("provider_connections", "credential_kind"),
    ("provider_connections", "credential_set_at"),
    ("provider_connections", "credential_expires_on"),
    ("provider_connections", "check_reason_code"),
}


def columns_by_table() -> dict[str, list[Any]]:
    return {
        model._meta.db_table: [field.column for field in model._meta.local_fields]
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }


def test_every_table_is_audited_or_excluded_for_a_reason() -> None:
    known = set(audited_tables()) | set(excluded_tables())

    assert set(columns_by_table()) - known == set(), "add them to audited.py of their app"
    assert known - set(columns_by_table()) == set(), "these tables do not exist"
    assert all(len(reason) > 10 for reason in excluded_tables().values())


@pytest.mark.django_db
def test_every_audited_table_has_a_trigger_with_the_registered_options() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_get_triggerdef(pg_trigger.oid), tgenabled FROM pg_trigger"
            " JOIN pg_class ON tgrelid = pg_class.oid WHERE tgname = 'audited'"
        )
        triggers = {table: (definition, enabled) for table, definition, enabled in cursor}

    assert set(triggers) == set(audited_tables())
    for table in audited_tables().values():
        definition, enabled = triggers[table.table]
        argument = table.options.replace("'", "''")
        assert definition.endswith(f"EXECUTE FUNCTION audit_record_change('{argument}')")
        events = re.search(r"AFTER (.*) ON public", definition)
        assert events
        assert set(events[1].split(" OR ")) == set(table.trigger_events.split(" OR "))
        assert enabled == "O"


def test_the_options_name_columns_that_exist() -> None:
    columns = columns_by_table()
    for table in audited_tables().values():
        for column in (*table.secrets, *table.ignored, *table.only):
            assert column in columns[table.table], (table.table, column)
        for path in (table.name, table.workspace, table.tenant, table.part):
            own, _, other = path.partition(">")
            assert not own or own in columns[table.table], (table.table, path)
            if other:
                other_table, key, value = other.split(".")
                assert {key, value} <= set(columns[other_table]), (table.table, path)


def test_every_column_that_may_hold_a_secret_is_declared() -> None:
    for table in audited_tables().values():
        for column in table.only or columns_by_table()[table.table]:
            if SECRET_NAME.search(column) and (table.table, column) not in NO_SECRETS:
                assert column in (*table.secrets, *table.ignored), (table.table, column)
