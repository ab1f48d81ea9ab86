"""The reasons why work with a provider failed or could not start."""

from operations.reasons import Reason, register_reasons

register_reasons(
    # --- Before the first request -----------------------------------------------------------
    Reason(
        "connection_missing",
        "No connection",
        "The tenant {tenant} has no default connection.",
        "Add a connection for the tenant and make it the default, then retry.",
    ),
    Reason(
        "connection_gone",
        "Connection removed",
        "The connection of the run no longer exists.",
        "Check the current connection of the tenant instead.",
    ),
    Reason(
        "wrong_tenant",
        "Wrong tenant",
        "The connection belongs to the tenant {found}, but the tenant's id in Runledger is {expected}.",
        "Correct the tenant's Entra id, or use an app registration of the right tenant.",
    ),
    Reason(
        "connection_read_only",
        "Connection is read-only",
        "The connection can only read, but this operation writes.",
        "Allow writing on the connection, or choose one with write access.",
    ),
    Reason(
        "credential_missing",
        "No credential",
        "The connection {connection} has no client secret or certificate.",
        "Enter the credential of the app registration, then retry.",
    ),
    Reason(
        "credential_unreadable",
        "Credential cannot be decrypted",
        "The stored credential of the connection {connection} cannot be decrypted.",
        "Enter the credential again, or give Runledger the key it was stored with "
        "(CREDENTIAL_KEYS), then retry.",
    ),
    Reason(
        "credential_malformed",
        "Credential not usable",
        "The stored certificate of the connection is not a private key with its certificate.",
        "Enter the private key and the certificate as PEM, then retry.",
    ),
    Reason(
        "cloud_not_available",
        "Cloud not available",
        "The cloud {cloud} is not configured in this installation.",
        "Choose another cloud for the connection; the Graph sandbox needs GRAPH_SANDBOX_URL.",
        cause="{cloud}",
    ),
    Reason(
        "ca_bundle_unreadable",
        "Certificate authorities not readable",
        "The file of certificate authorities (GRAPH_CA_BUNDLE) cannot be read.",
        "Correct the setting on the machine that runs the worker, then retry.",
    ),
    # --- Signing in -------------------------------------------------------------------------
    Reason(
        "credential_rejected",
        "Credential rejected",
        "Microsoft rejected the client secret or certificate of the connection.",
        "Create a new secret or certificate for the app registration, enter it, then retry.",
    ),
    Reason(
        "credential_expired",
        "Credential expired",
        "The client secret or certificate of the connection has expired.",
        "Create a new secret or certificate for the app registration, enter it, then retry.",
    ),
    Reason(
        "token_rejected",
        "Sign-in rejected",
        "Microsoft Graph did not accept a token that was just issued.",
        "Check that the app registration is enabled and that its cloud is the tenant's, then retry.",
    ),
    Reason(
        "consent_missing",
        "No admin consent",
        "An administrator of the tenant has not consented to the app registration.",
        "Give admin consent in the tenant, then retry.",
    ),
    Reason(
        "app_not_in_tenant",
        "App not in the tenant",
        "The tenant does not know the app registration of the connection.",
        "Check the client id, give admin consent in the tenant, then retry.",
    ),
    Reason(
        "tenant_unknown",
        "Tenant unknown",
        "Microsoft does not know the tenant id, or the tenant was deleted.",
        "Check the tenant id and the cloud of the connection, then retry.",
    ),
    Reason(
        "blocked_by_conditional_access",
        "Blocked by conditional access",
        "A conditional access policy of the tenant refuses the sign-in of the app registration.",
        "Exclude the app registration's service principal from the policy, then retry.",
    ),
    Reason(
        "sign_in_failed",
        "Sign-in failed",
        "Microsoft refused the sign-in of the connection ({error}, AADSTS{number}).",
        "Look the number up in Microsoft's list of sign-in errors, then retry.",
        cause="AADSTS{number}",
    ),
    # --- Responses of Graph -----------------------------------------------------------------
    Reason(
        "permission_missing",
        "Permission missing",
        "Microsoft Graph refused access to {kind}: {permission} is missing.",
        "Grant {permission} to the app registration and give admin consent again, then retry.",
        cause="{permission}",
    ),
    Reason(
        "write_permission_missing",
        "Write permission missing",
        "The connection cannot write {kind}: {permission} is missing.",
        "Grant {permission} to the app registration and give admin consent again.",
        cause="{permission}",
    ),
    Reason(
        "license_missing",
        "License missing",
        "The tenant has no license for {kind}.",
        "Assign the license, or leave {kind} out.",
        cause="{kind}",
    ),
    Reason(
        "object_gone",
        "Object not found",
        "The object does not exist or was deleted.",
        "Nothing to do if it was deleted on purpose.",
    ),
    Reason(
        "resync_required",
        "List has changed",
        "Microsoft Graph can no longer continue the list from the last position.",
        "Retry; everything is read again from the start.",
    ),
    Reason(
        "object_conflict",
        "Conflict",
        "The object was changed by someone else, or its name is taken.",
        "Look at the object as it is now, then decide.",
    ),
    Reason(
        "request_refused",
        "Request refused",
        "Microsoft Graph refused the request (HTTP {status} {error}).",
        "Look the text of the response up in the log by the request id. Give the id to Microsoft's "
        "support if it happens again.",
        cause="HTTP {status} {error}",
    ),
    Reason(
        "request_refused_for",
        "Values refused",
        "Microsoft Graph refused the request (HTTP {status} {error}). The response names: {named}.",
        "Compare these values with the tenant, and correct them there or leave the object out. The "
        "log contains the text of the response under the request id.",
        cause="HTTP {status} {error}",
    ),
    Reason(
        "throttled",
        "Throttled",
        "Microsoft Graph throttled requests for longer than the run waits.",
        "Retry later, or spread the runs of this tenant.",
    ),
    Reason(
        "service_unavailable",
        "Microsoft Graph unavailable",
        "Microsoft's service returned an error (HTTP {status}), also after retries.",
        "Retry later; Microsoft 365's service health may say more.",
        cause="HTTP {status}",
    ),
    Reason(
        "service_unreachable",
        "Microsoft Graph unreachable",
        "No connection to {host} could be made.",
        "Check DNS, proxy and firewall of the machine that runs the worker, then retry.",
        cause="{host}",
    ),
    Reason(
        "tls_failed",
        "Certificate not trusted",
        "This machine does not trust the certificate of {host}.",
        "Check the proxy, or add its authority with GRAPH_CA_BUNDLE, then retry.",
        cause="{host}",
    ),
    Reason(
        "service_timeout",
        "No response in time",
        "Microsoft's service did not respond in time, also after retries.",
        "Retry later.",
    ),
    Reason(
        "answer_unreadable",
        "Response not readable",
        "Microsoft Graph's response was truncated, too large, or not JSON, also after retries.",
        "Retry later.",
    ),
    Reason(
        "write_outcome_unknown",
        "Result of the change unknown",
        "The connection was lost after a change was sent, so it may or may not be in place.",
        "Look at the object in the tenant before you make the change again.",
    ),
    Reason(
        "incomplete_listing",
        "List incomplete",
        "The list of {kind} ended early, after {count} objects.",
        "Retry; objects that were not read can still exist.",
        cause="{kind}",
    ),
    Reason(
        "listing_loops",
        "Endless list",
        "The list of {kind} leads back to a page that was already read.",
        "Retry later.",
        cause="{kind}",
    ),
    Reason(
        "listing_too_long",
        "List too long",
        "The list of {kind} has more pages than Runledger reads ({pages}).",
        "Contact your Runledger administrator.",
        cause="{kind}",
    ),
    Reason(
        "foreign_link",
        "List continues on another host",
        "The link to the next page of {kind} points to another host; it was not followed.",
        "Check the proxy between Runledger and Microsoft Graph.",
        cause="{kind}",
    ),
    Reason(
        "incomplete_capture",
        "Incomplete capture",
        "Microsoft Graph did not return everything: {missing}.",
        "Retry; an incomplete item is kept and marked as incomplete.",
    ),
)
