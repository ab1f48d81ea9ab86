"""Template tags about the roles of groups, for the page of the members."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from accounts.models import GroupMembership
from tenancy.models import Membership

register = template.Library()


@register.simple_tag
def members_from_groups(members: Iterable[Membership]) -> set[int]:
    """Return the ids of the memberships that groups of an identity provider gave."""
    marks = GroupMembership.objects.filter(membership__in=list(members))
    return set(marks.values_list("membership_id", flat=True))
