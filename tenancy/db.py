"""Migration operations that keep one workspace's rows out of another's."""

from django.db.migrations import RunSQL


def composite_tenant_fk(table: str) -> RunSQL:
    """A foreign key (tenant_id, workspace_id) → tenants: no tenant of another workspace.

    Declare the model's tenant field with `db_constraint=False`; this one is stronger.
    """
    name = f"{table}_tenant_of_workspace"
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, workspace_id) "
        "REFERENCES tenants (id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )
