"""The start page and the color theme."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from tenancy.context_processors import THEMES
from tenancy.http import Request, action, page
from tenancy.models import Workspace

A_YEAR = 365 * 24 * 60 * 60


@page
def home(request: Request) -> HttpResponse:
    """Redirect to the first workspace of the user; without one, staff can create it."""
    first = Workspace.objects.visible_to(request.user).first()
    if first is not None:
        return redirect(first)
    if request.user.is_staff:
        return redirect("workspace_create")
    return render(request, "tenancy/no_workspace.html")


@action("home")
@login_not_required
def theme(request: HttpRequest) -> HttpResponse:
    """Set the color theme to light, dark or the system's, and redirect back."""
    path = request.POST.get("next", "")
    is_path = path.startswith("/") and path.isprintable()
    hosts = {request.get_host()}
    if not is_path or not url_has_allowed_host_and_scheme(path, hosts, request.is_secure()):
        path = reverse("home")
    response = redirect(path)
    name = request.POST.get("theme", "")
    if name in THEMES:
        response.set_cookie(
            "theme", name, A_YEAR, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response
