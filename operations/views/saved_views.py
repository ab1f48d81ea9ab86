"""Saved views of the list of runs, and the columns that a user has chosen for it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from operations.filters import RunFilter
from operations.forms import SavedViewForm
from operations.models import ListSettings, SavedView
from operations.presentation.layout import COLUMNS, Layout
from operations.saved_views import save_view
from operations.views.listing import list_query, read_list
from tenancy.capabilities import capabilities_of, has_capability, require_capability
from tenancy.http import Request, action, form_page, page, render_checked, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability


@page
def saved_view_list(request: Request, slug: str) -> HttpResponse:
    """The saved views that the user can open."""
    workspace = workspace_or_404(request, slug)
    views = SavedView.objects.usable_by(request.user).filter(workspace=workspace)
    context = {
        "workspace": workspace,
        "section": "runs",
        "views": views.select_related("workspace").own_first(),
        "may_share": has_capability(request.user, workspace, Capability.SHARE_VIEWS),
    }
    return render(request, "operations/saved_view_list.html", context)


@form_page
def saved_view_create(request: Request, slug: str) -> HttpResponse:
    """Save the list of the address under a name."""
    workspace = workspace_or_404(request, slug)
    view = SavedView(workspace=workspace, owner=request.user, created_by_name=request.user.username)
    return _edit(request, workspace, view)


@form_page
def saved_view_edit(request: Request, slug: str, view_id: int) -> HttpResponse:
    """Change the name of a view, and its list if the address has parameters of one."""
    view = _view_or_404(request, slug, view_id)
    return _edit(request, view.workspace, view)


@action("saved_view_edit", "slug", "view_id")
def saved_view_delete(request: Request, slug: str, view_id: int) -> HttpResponse:
    """Delete a view."""
    view = _view_or_404(request, slug, view_id)
    view.delete()
    messages.success(request, f"View “{view.name}” deleted.")
    return redirect("saved_view_list", slug)


def _view_or_404(request: Request, slug: str, view_id: int) -> SavedView:
    """Return a view that the user may change: an own one, or a shared one with the capability."""
    views = SavedView.objects.usable_by(request.user).select_related("workspace", "owner")
    view = get_object_or_404(views, workspace__slug=slug, pk=view_id)
    if view.is_shared:
        require_capability(request.user, view.workspace, Capability.SHARE_VIEWS)
    return view


def _edit(request: Request, workspace: Workspace, view: SavedView) -> HttpResponse:
    query = list_query(request.GET)
    query.pop("saved", None)
    if view.pk and not query:
        query.update(view.parameters)
    run_filter, layout = read_list(request, query, workspace)
    if errors := [*run_filter.error_messages, *layout.errors]:
        raise BadRequest(" ".join(errors))
    may_share = Capability.SHARE_VIEWS in capabilities_of(request.user, workspace)
    if "is_shared" in request.POST:
        require_capability(request.user, workspace, Capability.SHARE_VIEWS)
    initial = {"name": view.name, "is_shared": view.is_shared}
    form = SavedViewForm(request.POST or None, initial=initial, may_share=may_share)
    title = view.name
    if request.method == "POST" and form.is_valid():
        view.name = form.cleaned_data["name"]
        is_shared = form.cleaned_data.get("is_shared", view.is_shared)
        view.owner = None if is_shared else request.user
        view.parameters = _parameters(query, layout)
        try:
            save_view(view)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"View “{view.name}” saved.")
            return redirect(view)
    context = {
        "workspace": workspace,
        "section": "runs",
        "view": view if view.pk else None,
        "title": title,
        "form": form,
        "facts": describe_list(run_filter, layout),
    }
    return render_checked(request, "operations/saved_view_form.html", context, errors=form.is_bound)


def _parameters(query: QueryDict, layout: Layout) -> dict[str, str]:
    """The parameters to store; columns and density are those that the user sees now."""
    parameters = {name: str(query[name]) for name in query}
    parameters |= {"columns": ",".join(layout.columns), "density": layout.density}
    return parameters


def describe_list(run_filter: RunFilter, layout: Layout) -> list[tuple[str, str]]:
    """Return the filters and the layout of a list in words."""
    facts = []
    for name, field in run_filter.form.fields.items():
        if value := run_filter.data.get(name, ""):
            labels = dict(getattr(field, "choices", ()))
            text = getattr(field, "shown", "") or labels.get(value, value)
            facts.append((str(field.label), str(text)))
    columns = ", ".join(COLUMNS[name] for name in layout.columns)
    return [
        *(facts or [("Filter", "None")]),
        ("Order", layout.sort.label),
        ("Columns", columns),
        ("Density", ListSettings.Density(layout.density).label),
    ]


@action("run_list_all")
def list_settings(request: Request) -> HttpResponse:
    """Store the columns and the density of the user, and redirect back to the list.

    With `reset` or without a density, the list has the default columns and density again.
    """
    if "reset" in request.POST or "density" not in request.POST:
        ListSettings.objects.filter(user=request.user).delete()
        return HttpResponseRedirect(_back(request))
    chosen, density = request.POST.getlist("column"), request.POST["density"]
    if density not in ListSettings.Density.values or not set(chosen) <= COLUMNS.keys():
        raise BadRequest("Select columns and a density of the list.")
    columns = ",".join(name for name in COLUMNS if name in chosen)
    ListSettings.objects.update_or_create(
        user=request.user, defaults={"columns": columns, "density": density}
    )
    return HttpResponseRedirect(_back(request))


def _back(request: Request) -> str:
    """The address of the list that the form was on, without its columns and density."""
    path, _, query = request.POST.get("next", "").partition("?")
    is_path = path.startswith("/") and path.isprintable()
    if not is_path or not url_has_allowed_host_and_scheme(path, {request.get_host()}):
        return reverse("run_list_all")
    kept = QueryDict(query[:4000], mutable=True)
    for name in ("columns", "density", "part", "seen"):
        kept.pop(name, None)
    return f"{path}?{kept.urlencode()}" if kept else path
