"""Runs have a timeline, so the audit log leaves them out."""

from audit.registry import exclude

exclude("operation_runs", "The timeline of a run.")
exclude("operation_run_events", "The timeline of a run.")
exclude("operation_run_items", "The results of a run.")
exclude("operation_run_tombstones", "Retention writes them.")
exclude("operation_invariants", "The results of the ledger check.")
exclude("operation_ticks", "The times of periodic tasks.")
exclude("operation_incidents", "The ledger writes them by itself.")
exclude("operation_metrics", "The ledger counts by itself.")
exclude("operation_metric_increments", "The ledger counts by itself.")
exclude("operation_run_counts", "The ledger counts by itself.")
exclude("saved_views", "What members look at; it configures nothing.")
exclude("list_settings", "What members look at; it configures nothing.")
