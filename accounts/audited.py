"""What the audit log records of invitations, identities, links and second factors."""

from accounts.group_roles.forms import GroupRoleForm
from accounts.identity_providers import find_provider
from accounts.invitations.forms import InvitationForm
from audit.registry import audit_event, audit_table, exclude, through
from operations.catalog import OperationCatalog


def _provider_text(provider_id: str) -> str:
    provider = find_provider(provider_id)
    return provider.name if provider else provider_id


audit_table(
    "invitations",
    label="Invitation",
    name="email",
    workspace="workspace_id",
    secrets=["link_hash"],
    ignored=["is_sent"],
    form=InvitationForm,
)

_USER_NAME = through("user_id", "users", "username")
_WORKSPACES_OF_USER = through("user_id", "memberships", "workspace_id", key="user_id")

# The use of a second factor updates its row: the sign-in is an event. The trigger `audited_changes`
# of the migrations records all other updates.
audit_table(
    "mfa_authenticator",
    label="Second factor",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    secrets=["data"],
    operations=["INSERT", "DELETE"],
)

audit_table(
    "socialaccount_socialaccount",
    label="Identity",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    part="uid",
    part_of=("users", "user_id"),
    ignored=["last_login", "extra_data"],
    texts={"provider": _provider_text},
)
audit_table(
    "sign_in_links",
    label="Sign-in link",
    name=_USER_NAME,
    workspace=_WORKSPACES_OF_USER,
    secrets=["link_hash"],
)

audit_table(
    "access_tokens",
    label="Access token",
    name="name",
    workspace="workspace_id",
    secrets=["secret_hash"],
    # The ids of these users are recorded.
    ignored=[
        *("last_used_at", "last_used_address"),
        *("user_name", "created_by_name", "revoked_by_name"),
    ],
    texts={"operation_types": lambda types: ", ".join(map(OperationCatalog.label, types))},
)

exclude("access_token_rates", "Counts the requests of a minute.")
exclude("code_attempts", "Wrong codes and locks are events.")
exclude("recovery_codes", "New codes and the use of one are events.")
audit_table(
    "group_roles",
    label="Role of a group",
    name="group",
    workspace="workspace_id",
    form=GroupRoleForm,
    texts={"provider": _provider_text},
)

exclude("group_memberships", "Marks memberships, which are recorded themselves.")
exclude("socialaccount_socialapp", "Always empty: identity providers are settings.")
exclude("socialaccount_socialtoken", "Always empty: no token is stored.")
exclude("password_resets", "Requests by anyone; a changed password is recorded with its account.")
exclude("sessions", "Sign-ins, sign-outs and ended sessions are events.")

audit_event("session_ended", "Session ended")
audit_event("sessions_ended", "All sessions ended")
audit_event("second_factor_refused", "Second factor refused")
audit_event("second_factor_locked", "Codes locked")
audit_event("second_factors_reset", "Second factors reset")
audit_event("recovery_codes_created", "Recovery codes created")
audit_event("recovery_code_used", "Recovery code used")
audit_event("identity_confirmed", "Identity confirmed")
