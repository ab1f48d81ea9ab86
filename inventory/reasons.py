"""Reasons why a sync could not start or is incomplete."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "no_active_tenant",
        "No active tenant",
        "The workspace {workspace} has no active tenant.",
        "Add a tenant or activate a suspended one, then start the sync again.",
    ),
    Reason(
        "tenant_not_synced",
        "A tenant's sync did not succeed",
        "The sync of the tenant ended as {outcome}: {cause}.",
        "Open the run of the tenant to see the cause. You can retry it separately.",
    ),
)
