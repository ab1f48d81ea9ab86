"""Why work with a provider failed or could not start, and what to do about it."""

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
        "Connection gone",
        "The connection of the run does not exist any more.",
        "Check the tenant's present connection instead.",
    ),
    Reason(
        "wrong_tenant",
        "Wrong tenant",
        "The connection leads to the tenant {found}, but the tenant's id here is {expected}.",
        "Correct the tenant's Entra id, or use an app registration of the right tenant.",
    ),
    Reason(
        "connection_read_only",
        "Connection is read-only",
        "The connection may read, but this needs to write.",
        "Allow writing on the connection, or choose one that may write.",
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
        "The cloud {cloud} is not set up in this installation.",
        "Choose another cloud for the connection; the Graph sandbox needs GRAPH_SANDBOX_URL.",
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
    ),
    # --- Answers of Graph -------------------------------------------------------------------
    Reason(
        "permission_missing",
        "Permission missing",
        "Microsoft Graph refused access to {kind}: {permission} is missing.",
        "Grant {permission} to the app registration and give admin consent again, then retry.",
    ),
    Reason(
        "write_permission_missing",
        "Permission to write missing",
        "The connection may not write {kind}: {permission} is missing.",
        "Grant {permission} to the app registration and give admin consent again.",
    ),
    Reason(
        "license_missing",
        "License missing",
        "The tenant has no license for {kind}.",
        "Assign the license, or leave {kind} out.",
    ),
    Reason(
        "object_gone",
        "No longer there",
        "The object does not exist (any more).",
        "Nothing to do if it was deleted on purpose.",
    ),
    Reason(
        "resync_required",
        "Must be read again",
        "Microsoft Graph no longer knows the place to go on from.",
        "Retry; everything is read again from the start.",
    ),
    Reason(
        "object_conflict",
        "Conflict",
        "The object was changed by somebody else, or its name is taken.",
        "Look at the object as it is now, then decide.",
    ),
    Reason(
        "request_refused",
        "Request refused",
        "Microsoft Graph refused the request (HTTP {status} {error}).",
        "Give the request id to Microsoft's support if it happens again.",
    ),
    Reason(
        "throttled",
        "Throttled",
        "Microsoft Graph asked to slow down more often than the run may wait.",
        "Retry later, or spread the runs of this tenant.",
    ),
    Reason(
        "service_unavailable",
        "Microsoft Graph unavailable",
        "Microsoft's service answered with an error (HTTP {status}), also when asked again.",
        "Retry later; Microsoft 365's service health may say more.",
    ),
    Reason(
        "service_unreachable",
        "Microsoft Graph unreachable",
        "No connection to {host} could be made.",
        "Check DNS, proxy and firewall of the machine that runs the worker, then retry.",
    ),
    Reason(
        "tls_failed",
        "Certificate not trusted",
        "{host} did not show a certificate that this machine trusts.",
        "Check the proxy, or add its authority with GRAPH_CA_BUNDLE, then retry.",
    ),
    Reason(
        "service_timeout",
        "No answer in time",
        "Microsoft's service did not answer in time, also when asked again.",
        "Retry later.",
    ),
    Reason(
        "answer_unreadable",
        "Answer not readable",
        "Microsoft Graph's answer was cut off, too large, or not JSON, also when asked again.",
        "Retry later.",
    ),
    Reason(
        "write_outcome_unknown",
        "Unknown whether it was applied",
        "The connection broke after a change was sent, so it may or may not be in place.",
        "Look at the object in the tenant before the change is made again.",
    ),
    Reason(
        "incomplete_listing",
        "List could not be read to its end",
        "The list of {kind} broke off after {count} objects.",
        "Retry; what was not read is unknown, not gone.",
    ),
    Reason(
        "listing_loops",
        "List never ends",
        "Microsoft Graph led the reading of {kind} back to a page already read.",
        "Retry later.",
    ),
    Reason(
        "listing_too_long",
        "List too long",
        "The list of {kind} has more pages than Runledger reads ({pages}).",
        "Tell whoever runs Runledger.",
    ),
    Reason(
        "foreign_link",
        "List leads elsewhere",
        "The next page of {kind} was said to be on another host; it was not asked.",
        "Check the proxy between Runledger and Microsoft Graph.",
    ),
    Reason(
        "incomplete_capture",
        "Read incompletely",
        "Microsoft Graph did not return everything: {missing}.",
        "Retry; an incomplete item is kept, and marked so.",
    ),
)
