"""Template tags about accounts, for the page of the members."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django import template
from django.db.models import Value

from accounts.models import GroupMembership
from tenancy.models import Membership

register = template.Library()


@dataclass(frozen=True)
class AccountsOfMembers:
    """What the accounts of the members of a workspace say about them.

    `from_groups`: the ids of the memberships that groups of an identity provider gave.
    `without_second_factor`: the ids of the users who sign in with a password alone, or by the rules
    of their provider.
    """

    from_groups: set[int]
    without_second_factor: set[int]


@register.simple_tag
def accounts_of(members: Collection[Membership]) -> AccountsOfMembers:
    """Read with one statement what the page shows about the accounts of members."""
    users = {member.user_id for member in members}
    marks = GroupMembership.objects.filter(membership__in=[member.pk for member in members])
    factors = Authenticator.objects.filter(user__in=users).order_by()
    rows = marks.values_list(Value("group"), "membership").union(
        factors.values_list(Value("factor"), "user")
    )
    ids: dict[str, set[int]] = {"group": set(), "factor": set()}
    for kind, id_ in rows:
        ids[kind].add(id_)
    return AccountsOfMembers(ids["group"], users - ids["factor"])
