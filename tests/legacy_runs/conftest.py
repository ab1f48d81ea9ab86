"""Sources of an older installation: CSV files, and its database."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from legacy_runs.models import InventorySyncRun
from tenancy.models import Tenant
from tests.support.stack import database_url

OLDER = """
CREATE TABLE tenants (id bigint PRIMARY KEY, external_id varchar(64) NOT NULL);
CREATE TABLE inventory_sync_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    selection_hash varchar, selection_payload jsonb, status varchar, items_observed_count int,
    items_upserted_count int, errors_count int, started_at timestamp, finished_at timestamp,
    created_at timestamp, updated_at timestamp);
CREATE TABLE entra_group_sync_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    selection_key varchar, slot_key varchar, status varchar, error_code varchar,
    error_category varchar, error_summary text, pages_fetched int, items_observed_count int,
    items_upserted_count int, error_count int, started_at timestamp, finished_at timestamp,
    created_at timestamp);
CREATE TABLE backup_schedule_runs (id bigint PRIMARY KEY, tenant_id bigint, operation_run_id bigint,
    backup_schedule_id bigint, scheduled_for timestamp, status varchar, summary jsonb,
    error_code varchar, error_message text, backup_set_id bigint, started_at timestamp,
    finished_at timestamp, created_at timestamp);
"""


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes rows to a CSV file and returns the argument of the command."""

    def write(
        *rows: dict[str, Any], kind: str = InventorySyncRun.KIND, name: str = "rows.csv"
    ) -> str:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return f"{kind}={path}"

    return write


@pytest.fixture
def older(tenant: Tenant) -> Iterator[str]:
    """Return the address of an older installation's database with a tenant that exists here."""
    name = f"older_{uuid.uuid4().hex[:8]}"
    here = database_url()
    address = urlsplit(here)._replace(path=f"/{name}").geturl()
    with psycopg.connect(here, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(OLDER)
        connection.execute("INSERT INTO tenants VALUES (41, %s)", [str(tenant.external_id).upper()])
    yield address
    with psycopg.connect(here, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
