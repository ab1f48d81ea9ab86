"""The stand-in Graph server: a separate process that speaks the used part of Microsoft Graph.

Nothing of the product imports this package; it is met over HTTPS, like the real one. It needs no
Django and no database: `python -m providers.sandbox` starts it.
"""
