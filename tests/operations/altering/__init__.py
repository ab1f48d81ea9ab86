"""An app with a migration that changes a table, for `test_migrate.py`."""
