"""Template tags about second factors, for the page of the members."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from django import template

from tenancy.models import Membership

register = template.Library()


@register.simple_tag
def members_without_second_factor(members: Iterable[Membership]) -> set[int]:
    """Return the ids of the users who sign in with a password alone, or with their provider's rules."""
    users = {member.user_id for member in members}
    return users - set(
        Authenticator.objects.filter(user__in=users).values_list("user_id", flat=True)
    )
