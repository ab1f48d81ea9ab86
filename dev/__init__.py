"""Development and test support: Graph sandbox, demo data, embedded servers, chaos, benchmarks.

The product never imports this package, and the image does not contain it.
"""
