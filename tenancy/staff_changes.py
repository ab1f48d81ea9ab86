"""What staff changes about owners and members on the administration site, for the owners to see.

Staff could take over the account of an owner, or make themselves owners. They cannot do it without
an entry that every owner of the workspace sees, and that no role of the application can change or remove.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import Now

from tenancy.models import StaffChange, User, Workspace
from tenancy.roles import Role

#: How long every page of the workspace names the newest entry. No owner can hide it earlier: that
#: could be staff with the account of an owner.
NOTICE = dt.timedelta(days=7)
#: The fields of an account with which another person could sign in, or its user could not.
ACCOUNT_FIELDS = {
    "username": "user name",
    "email": "email address",
    "password": "password",  # nosec B105
    "is_active": "whether the account is active",
}


def record_account_change(user: User, fields: Iterable[str], *, by: User) -> None:
    """Record that staff changed these fields of an account, where the account is an owner."""
    names = [ACCOUNT_FIELDS[field] for field in fields if field in ACCOUNT_FIELDS]
    if not names or user.pk == by.pk:
        return
    text = f"Changed the account of an owner: {', '.join(names)}."
    for workspace in Workspace.objects.filter(memberships__user=user, memberships__role=Role.OWNER):
        record(workspace, user, text, by=by)


def record(workspace: Workspace, user: User, text: str, *, by: User) -> None:
    """Record what staff changed about a user in a workspace."""
    StaffChange.objects.create(
        workspace=workspace,
        user=user,
        user_name=user.get_username(),
        changed_by=by,
        changed_by_name=by.get_username(),
        text=text,
    )


def recent_for(
    user: User | AnonymousUser, workspace: Workspace | OuterRef
) -> QuerySet[StaffChange]:
    """Return the newest entries of a workspace for its owners; none for other users."""
    return StaffChange.objects.filter(
        workspace=workspace,
        at__gt=Now() - NOTICE,
        workspace__memberships__user=user.pk,
        workspace__memberships__role=Role.OWNER,
    )
