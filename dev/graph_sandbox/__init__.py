"""The Graph sandbox: a separate process that speaks the used part of Microsoft Graph.

Nothing of the product imports this package; it is met over HTTPS, like the real one. It needs no
Django and no database: `python -m dev.graph_sandbox` starts it.
"""
