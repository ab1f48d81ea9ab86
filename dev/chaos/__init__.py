"""The chaos campaign, `make chaos`; docs/reliability.md explains its report."""
