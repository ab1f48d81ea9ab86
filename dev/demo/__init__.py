"""Demo data of `make run`: tenants, schedules, connections and legacy runs."""
