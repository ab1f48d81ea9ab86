"""A campaign of faults against the real parts: `make chaos`. docs/reliability.md says how to read it."""
