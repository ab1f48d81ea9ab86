"""What the audit log records of invitations and second factors, and which events it knows."""

from audit.registry import audit_event, audit_table, exclude, through

audit_table(
    "invitations",
    label="Invitation",
    name="email",
    workspace="workspace_id",
    secrets=["link_hash"],
    ignored=["is_sent"],
)

# The use of a second factor updates its row: the sign-in is an event.
audit_table(
    "mfa_authenticator",
    label="Second factor",
    name=through("user_id", "users", "username"),
    workspace=through("user_id", "memberships", "workspace_id", key="user_id"),
    secrets=["data"],
    operations=["INSERT", "DELETE"],
)

exclude("code_attempts", "Wrong codes and locks are events.")
exclude("recovery_codes", "New codes and the use of one are events.")
exclude("sessions", "Sign-ins, sign-outs and ended sessions are events.")

audit_event("session_ended", "Session ended")
audit_event("sessions_ended", "All sessions ended")
audit_event("second_factor_refused", "Second factor refused")
audit_event("second_factor_locked", "Codes locked")
audit_event("second_factors_reset", "Second factors reset")
audit_event("recovery_codes_created", "Recovery codes created")
audit_event("recovery_code_used", "Recovery code used")
audit_event("identity_confirmed", "Identity confirmed")
