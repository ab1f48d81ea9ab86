"""The Graph sandbox: a separate process that implements the part of Microsoft Graph that Runledger uses.

The product does not import this package. It reaches the sandbox over HTTPS, like the real service.
The sandbox needs neither Django nor a database: `python -m dev.graph_sandbox` starts it.
"""
