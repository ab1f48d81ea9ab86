"""Saved views: lists with a name, for a member or shared with the workspace."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from operations.models import SavedView

#: Own views of a member, and shared views of a workspace.
MAX_VIEWS = 50


def save_view(view: SavedView) -> None:
    """Create or change a view.

    Raises:
        ValidationError: the name is taken or not valid, or there are too many views.
    """
    view.full_clean(exclude=["parameters"])
    others = SavedView.objects.filter(workspace=view.workspace, owner=view.owner)
    if others.exclude(pk=view.pk).count() >= MAX_VIEWS:
        raise ValidationError(f"There are already {MAX_VIEWS} views. Delete one first.")
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        if "saved_views_own_name" in str(error) or "saved_views_shared_name" in str(error):
            raise ValidationError("There is already a view with that name.") from None
        raise
