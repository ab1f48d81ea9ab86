"""Signals of the services, for apps above this one."""

from django.dispatch import Signal

#: A locked sign-in was unlocked: `username`, `ip_address`.
sign_in_unlocked = Signal()
#: The status of a tenant changed, in the same transaction: `tenant`, `before`, `by`.
tenant_status_changed = Signal()
