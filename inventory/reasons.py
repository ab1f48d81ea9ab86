"""Why a sync could not start, or did not reach all it should have."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "no_active_tenant",
        "No active tenant",
        "The workspace {workspace} has no active tenant.",
        "Add a tenant, or set a suspended one to active, then start again.",
    ),
    Reason(
        "tenant_not_synced",
        "A tenant's sync did not succeed",
        "The sync of the tenant ended as {outcome}: {cause}.",
        "Open its run: it says why, and can be retried by itself.",
    ),
)
