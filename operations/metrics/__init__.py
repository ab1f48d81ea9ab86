"""The metrics of `/metrics`: counters of the ledger, and what is true at the moment of a request."""
