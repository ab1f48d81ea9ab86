"""The objects of a seeded tenant, one module per family of kinds."""
