"""Embedded servers and process supervision for `make run` and `make test`.

Production imports nothing from here.
"""
