"""What keeps the ledger sound: reconciler, retention, integrity checks, health, preflight."""
