"""The write operations on invitations, for pages and commands."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.invitations.models import Invitation
from tenancy import services as tenancy
from tenancy.capabilities import has_capability
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Capability, Role

log = logging.getLogger(__name__)

#: The key in the session of the token whose link was opened, until it is used.
INVITATION_KEY = "invitation_token"
#: Owners cannot send mail to arbitrary addresses without limit.
MAX_PENDING = 200
RESEND_AFTER = dt.timedelta(minutes=1)
NO_LONGER_PENDING = "This invitation has been accepted or revoked in the meantime."


class InvitationNotValid(Exception):
    """The link is unknown, expired, used or revoked, or its sender is no longer an owner."""


def invite(
    workspace: Workspace, email: str, role: Role, *, by: User | None
) -> tuple[Invitation, str]:
    """Create an invitation, whether or not the address belongs to an account.

    Args:
        by: the owner who invites; None for a command.

    Returns:
        The invitation, and the token for its link, which is not stored.

    Raises:
        ValidationError: a member has this address, an invitation to it is pending, or too many are.
    """
    if Membership.objects.filter(workspace=workspace, user__email__iexact=email).exists():
        raise ValidationError("A member of this workspace already has this email address.")
    pending = Invitation.objects.pending().filter(workspace=workspace)
    if pending.count() >= MAX_PENDING:
        raise ValidationError(
            f"{MAX_PENDING} invitations are pending. Revoke those that are no longer needed."
        )
    pending.filter(email__iexact=email, expires_at__lte=Now()).update(revoked_at=Now())
    token = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(
                workspace=workspace,
                email=email,
                role=role,
                link_hash=hash_token(token),
                invited_by=by,
                invited_by_name=by.get_username() if by else "",
                expires_at=Now() + _lifetime(),
            )
    except IntegrityError:
        raise ValidationError(
            "An invitation to this address is already pending. Resend or revoke it."
        ) from None
    # The message names the time at which it expires, which the database has computed.
    invitation.refresh_from_db(fields=["expires_at"])
    log.info("workspace %s: %s invited %s as %s", workspace.slug, by or "a command", email, role)
    return invitation, token


def renew(invitation: Invitation, *, by: User) -> str:
    """Replace the link of a pending invitation; the previous link is no longer valid.

    The owner who renews an invitation becomes the one who sent it.

    Returns:
        The token for the new link.

    Raises:
        ValidationError: the invitation is not pending, or was renewed less than a minute ago.
    """
    token = secrets.token_urlsafe(32)
    pending = Invitation.objects.pending().filter(pk=invitation.pk)
    if pending.filter(renewed_at__lte=Now() - RESEND_AFTER).update(
        link_hash=hash_token(token),
        renewed_at=Now(),
        expires_at=Now() + _lifetime(),
        is_sent=False,
        invited_by=by,
        invited_by_name=by.get_username(),
    ):
        log.info("workspace %s: %s renewed %s", invitation.workspace.slug, by, invitation)
        return token
    if pending.exists():
        raise ValidationError("The invitation was sent less than a minute ago. Try again later.")
    raise ValidationError(NO_LONGER_PENDING)


def revoke(invitation: Invitation, *, by: User) -> None:
    """Make the link of an invitation invalid.

    Raises:
        ValidationError: the invitation is not pending.
    """
    pending = Invitation.objects.pending().filter(pk=invitation.pk)
    if not pending.update(revoked_at=Now()):
        raise ValidationError(NO_LONGER_PENDING)
    log.info("workspace %s: %s revoked %s", invitation.workspace.slug, by, invitation)


def invitation_of(token: str) -> Invitation:
    """Return the invitation of a link.

    Raises:
        InvitationNotValid: the link cannot be used.
    """
    invitation = (
        Invitation.objects.open()
        .filter(link_hash=hash_token(token))
        .select_related("workspace", "invited_by")
        .first()
    )
    if invitation is None or not _may_still_invite(invitation):
        raise InvitationNotValid
    return invitation


@transaction.atomic
def accept(token: str, user: User) -> Membership:
    """Let the user join the workspace of a link, once.

    Raises:
        InvitationNotValid: the link cannot be used, or another user has just used it.
        ValidationError: the user is already a member; the invitation stays pending.
    """
    invitation = invitation_of(token)
    # The lock decides between two users, and between a user and an owner who revokes.
    if (
        not Invitation.objects.open()
        .filter(pk=invitation.pk, link_hash=hash_token(token))
        .select_for_update(of=("self",))
        .exists()
    ):
        raise InvitationNotValid
    membership = tenancy.admit(invitation.workspace, user, Role(invitation.role), by=user)
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=Now(), accepted_by=user)
    log.info("workspace %s: %s accepted %s", invitation.workspace.slug, user, invitation)
    return membership


def mark_sent(invitation: Invitation) -> None:
    """Record that the mail server accepted the message with the current link."""
    Invitation.objects.pending().filter(pk=invitation.pk, is_sent=False).update(is_sent=True)


def hash_token(token: str) -> str:
    """Return the hash under which a token is stored; the token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _may_still_invite(invitation: Invitation) -> bool:
    """Whether a command sent the invitation, or an owner who still is one."""
    if not invitation.invited_by_name:
        return True
    sender = invitation.invited_by
    return sender is not None and has_capability(
        sender, invitation.workspace, Capability.MANAGE_MEMBERS
    )


def _lifetime() -> dt.timedelta:
    return dt.timedelta(days=settings.INVITATION_DAYS)
