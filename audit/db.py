"""The migration operation that has the changes of a table recorded."""

from __future__ import annotations

from typing import Any

from django.db.migrations import RunSQL

from audit.registry import AuditedTable


def audit_trigger(table: str, **options: Any) -> RunSQL:
    """Return an operation that records the changes of a table, with the options of `audit_table`.

    The migration depends on ("audit", "0002_guards"). To change the options of a released trigger,
    add a migration with `DROP TRIGGER audited ON <table>` and this operation.
    """
    audited = AuditedTable(table, **options)
    argument = audited.options.replace("'", "''")
    return RunSQL(
        f"CREATE TRIGGER audited AFTER {audited.trigger_events} ON {table} FOR EACH ROW"
        f" EXECUTE FUNCTION audit_record_change('{argument}')",
        f"DROP TRIGGER audited ON {table}",
    )
