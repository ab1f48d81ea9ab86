"""Creates the first user, the first workspace and its owner, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from tenancy.models import User, Workspace
from tenancy.roles import Role
from tenancy.services import admit, create_workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bootstrapped:
    """The owner and the workspace, and which of them are new."""

    owner: User
    workspace: Workspace
    is_new_owner: bool
    is_new_workspace: bool


@transaction.atomic
def bootstrap(account: User, password: str, workspace: Workspace) -> Bootstrapped:
    """Create what does not exist yet: an administrator, a workspace, and its owner.

    An existing account is not changed, and an existing workspace only gets an owner if it has none.

    Args:
        account: an unsaved user.
        password: of a new account; empty for an account without a password.
        workspace: an unsaved workspace.

    Raises:
        ValidationError: a value is invalid, or the workspace belongs to other owners.
    """
    owner = User.objects.filter(username=account.username).first()
    is_new_owner = owner is None
    owner = owner or _create_administrator(account, password)
    if not owner.is_active:
        raise ValidationError(f"The account {owner} is disabled.")
    existing = Workspace.objects.filter(slug=workspace.slug).first()
    if existing is None:
        create_workspace(workspace, owner=owner)
    elif not existing.active_owners().exists():
        admit(existing, owner, Role.OWNER, by=owner)
    elif not existing.active_owners().filter(user=owner).exists():
        raise ValidationError(
            f"The workspace {existing.slug} has an owner. Only its owners add members: "
            "choose another slug, or ask an owner for an invitation."
        )
    return Bootstrapped(owner, existing or workspace, is_new_owner, existing is None)


def _create_administrator(account: User, password: str) -> User:
    account.is_staff = account.is_superuser = True
    if password:
        validate_password(password, account)
        account.set_password(password)
    else:
        account.set_unusable_password()
    account.full_clean()
    account.save()
    # The transaction ends without the account if the workspace is invalid.
    transaction.on_commit(lambda: log.info("a command created the administrator %s", account))
    return account
