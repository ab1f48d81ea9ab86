"""Everything `make run` and `make test` need around the app: embedded servers and their keepers.

Nothing here is imported in production.
"""
