"""Shared code of all views: the request of a signed-in user, allowed methods, and responses."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import slugify
from django_htmx.middleware import HtmxDetails

from tenancy.capabilities import role_in
from tenancy.models import User, Workspace
from tenancy.prepared import ANY_TEXT, ANY_USER, PreparedQuery
from tenancy.times import display_zone, exact_text
from web.csv_export import Columns, csv_of_list


class Request(HttpRequest):
    """A request after the middleware: a user is signed in, and htmx may have sent it."""

    user: User
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def methods(*allowed: str) -> Callable[[View], View]:
    """Return a decorator that allows only these methods; others get a page with status 405."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in allowed:
                return view(request, *args, **kwargs)
            return HttpResponseNotAllowed(allowed, render_to_string("405.html"))

        return respond

    return decorate


#: Shows a page.
page = methods("GET", "HEAD")
#: Shows a form, and accepts it.
form_page = methods("GET", "HEAD", "POST")
#: What a GET request to the address of an action says on the page that it leads to.
OPENED_ACTION = "Opening that address changes nothing. Use the form or the button on the page."


def action(page_name: str, *parameters: str) -> Callable[[View], View]:
    """Return a decorator for a view that changes data, and accepts POST only.

    A browser can also open its address: a refused form is shown there, so that reloading, changing
    the theme and signing in lead to it. Such a request leads to the page that has the form.

    Args:
        page_name: the name of the route of the page that has the form.
        parameters: the parameters of that route, which the route of the action has too.
    """

    def decorate(view: View) -> View:
        accept = methods("GET", "HEAD", "POST")(view)

        @functools.wraps(view)
        def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD"):
                return accept(request, *args, **kwargs)
            messages.info(request, OPENED_ACTION)
            address = reverse(page_name, kwargs={name: kwargs[name] for name in parameters})
            return HttpResponseRedirect(address)

        respond.is_action = True  # type: ignore[attr-defined]
        return respond

    return decorate


def recent_sign_in_required(view: View) -> View:
    """Mark a view that changes how users sign in, who may do what, or a tenant's configuration.

    A middleware of the app `accounts` asks a user who has not signed in recently to confirm the
    identity first. Everything that was entered is kept.
    """
    view.recent_sign_in_required = True  # type: ignore[attr-defined]
    return view


def workspace_or_404(request: Request, slug: str) -> Workspace:
    """Return the workspace of a URL with the role of the user, or raise 404 for another user."""
    user = request.user
    for workspace in _workspaces(is_staff=user.is_staff).load(user.pk, slug):
        if user.limit and user.limit.workspace_id != workspace.pk:
            break
        workspace.viewer_id = user.pk
        return workspace
    raise Http404


@functools.cache
def _workspaces(*, is_staff: bool) -> PreparedQuery[Workspace]:
    user = User(pk=ANY_USER, is_staff=is_staff)
    visible: Any = Workspace.objects.visible_to(user)
    visible = visible.annotate(viewer_role=role_in(user, "pk"))
    return PreparedQuery(visible.filter(slug=ANY_TEXT), [ANY_USER, ANY_TEXT])


def render_checked(
    request: HttpRequest, template: str, context: dict[str, Any], *, errors: object
) -> HttpResponse:
    """Render a page whose filter or form was checked: status 400 if it has errors."""
    return render(request, template, context, status=400 if errors else 200)


def ask_again(
    request: HttpRequest,
    form: Form,
    *,
    workspace: Workspace,
    section: str,
    action: str,
    back: str,
    back_title: str,
) -> HttpResponse:
    """Show a refused form of another page alone, with its errors and what was entered.

    Args:
        action: the text of the button, which is also the title.
        back: the address of the page of the form; `back_title` is its title.
    """
    context = {
        "workspace": workspace,
        "section": section,
        "title": action,
        "form": form,
        "action": action,
        "back": back,
        "back_title": back_title,
        # Beside “Cancel run”, “Cancel” could mean either.
        "leave": "Back",
    }
    return render_checked(request, "form_page.html", context, errors=form.errors)


def asks_for_csv(request: HttpRequest) -> bool:
    """Return whether the address asks for a list as CSV: `?format=csv`.

    Raises:
        BadRequest: it asks for another format.
    """
    asked_for = request.GET.get("format", "")
    if asked_for not in ("", "csv"):
        raise BadRequest("A list is exported as CSV only.")
    return asked_for == "csv"


def render_list(
    request: Request,
    template: str,
    context: dict[str, Any],
    *,
    rows: QuerySet[Any],
    columns: Columns,
    errors: object = (),
) -> HttpResponseBase:
    """Render a list, or answer with all of its rows as CSV, named after the `title` of the list."""
    if asks_for_csv(request) and not errors:
        file_name = f"{slugify(context['title'])}.csv"
        return csv_of_list(rows, file_name=file_name, columns=columns)
    return render_checked(request, template, context, errors=errors)


def try_service(
    request: HttpRequest,
    call: Callable[[], object],
    *,
    success: str,
    say_unchanged: Callable[[], None] | None = None,
) -> bool:
    """Call a service and show `success`, or the message with which the service refused.

    Args:
        say_unchanged: is called instead if the service returns False, because another request had
            already done the same.

    Returns:
        Whether the service succeeded.
    """
    try:
        result = call()
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return False
    if say_unchanged and result is False:
        say_unchanged()
    else:
        messages.success(request, success)
    return True


def show_unchanged(
    request: Request, text: str, workspace: Workspace, *, by: object, at: dt.datetime | None
) -> None:
    """Show what had been done before the request, by whom and when, as far as it is known."""
    who = f" by {by}" if by else ""
    when = f", {exact_text(at, display_zone(request.user, workspace))}" if at else ""
    messages.info(request, f"{text}{who}{when}. Nothing was changed.")


def render_error(template: str, status: int, **context: Any) -> HttpResponse:
    """Render a page that says what happened and what to do; it does not use the request."""
    return HttpResponse(render_to_string(template, context), status=status)


def try_again_later(response: HttpResponse, seconds: int) -> HttpResponse:
    """Return the response with the time after which to try again; the caller has logged why."""
    response["Retry-After"] = str(seconds)
    # Django would log it as an error too.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
