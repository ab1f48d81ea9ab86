"""What the audit log records of invitations, and of sessions as events."""

from audit.registry import audit_event, audit_table, exclude

audit_table(
    "invitations",
    label="Invitation",
    name="email",
    workspace="workspace_id",
    secrets=["link_hash"],
    ignored=["is_sent"],
)

exclude("sessions", "Sign-ins, sign-outs and ended sessions are events.")

audit_event("session_ended", "Session ended")
audit_event("sessions_ended", "All sessions ended")
