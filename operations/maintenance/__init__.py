"""Maintenance of the ledger: reconciler, retention, integrity checks, health, preflight checks."""
