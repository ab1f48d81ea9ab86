from collections.abc import Callable
from functools import cache
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenancy import staff_changes, support_access
from tenancy.models import User, Workspace
from tenancy.prepared import ANY_USER, PreparedQuery
from tenancy.waiting import unread_by, waiting_for

#: The color themes that a user can choose; without a choice, the page has that of the system.
THEMES = ("light", "dark")
#: What the navigation shows of apps, as attributes of the workspaces of the menu: conditions about
#: `OuterRef("pk")`. They are part of the statement of the menu.
MENU_CONDITIONS: dict[str, Callable[[], Exists]] = {}


@cache
def _menu(*, is_staff: bool) -> PreparedQuery[Workspace]:
    user = User(pk=ANY_USER, is_staff=is_staff)
    visible = Workspace.objects.visible_to(user).annotate(
        is_changed=Exists(staff_changes.recent_for(user, OuterRef("pk"))),
        is_accessed=Exists(support_access.shown_to(user, OuterRef("pk"))),
        waiting=waiting_for(user),
        unread=unread_by(user),
        **{name: build() for name, build in MENU_CONDITIONS.items()},
    )
    return PreparedQuery(visible, [ANY_USER])


def workspaces(request: HttpRequest) -> dict[str, Any]:
    """Add the workspaces of the user; one query reads them, if a template uses them.

    `workspace_choices` are their slugs and names. `changed_by_staff` and `accessed_by_staff` are the
    ids of those whose pages show recent changes by staff, or the access of staff, to this user.
    `waiting_approvals` is the number of decisions that wait for this user, `unread_notifications`
    the number of unread notifications.
    """
    user = getattr(request, "user", None)
    if user is None:
        return {
            "workspaces": [],
            "workspace_choices": (),
            "changed_by_staff": set(),
            "accessed_by_staff": set(),
            "waiting_approvals": 0,
            "unread_notifications": 0,
        }
    is_member = user.is_authenticated and user.is_active
    listed: Any = SimpleLazyObject(
        lambda: _menu(is_staff=user.is_staff).load(user.pk) if is_member else []
    )
    return {
        "workspaces": listed,
        "workspace_choices": lambda: tuple((row.slug, row.name) for row in listed),
        "changed_by_staff": SimpleLazyObject(lambda: {row.pk for row in listed if row.is_changed}),
        "accessed_by_staff": SimpleLazyObject(
            lambda: {row.pk for row in listed if row.is_accessed}
        ),
        "waiting_approvals": SimpleLazyObject(lambda: sum(row.waiting for row in listed)),
        "unread_notifications": SimpleLazyObject(lambda: sum(row.unread for row in listed)),
    }


def color_theme(request: HttpRequest) -> dict[str, str]:
    """Add the color theme that the user has chosen; empty for that of the system."""
    theme = request.COOKIES.get("theme", "")
    return {"theme": theme if theme in THEMES else ""}
