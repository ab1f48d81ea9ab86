"""The same Graph sandbox that the backups have."""

from tests.backups.conftest import (  # noqa: F401
    _executed_in_the_transaction_of_the_test,
    add_to_graph,
    executed,
    graph,
    graph_sandbox,
)
