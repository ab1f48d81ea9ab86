"""The search page, which is also the content of the command palette."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from tenancy.filtering import ListFilter
from tenancy.http import Request, page, render_checked
from tenancy.search import search
from web.statement_timeout import TookTooLong, statement_timeout

SECONDS = 3.0


@page
def search_page(request: Request) -> HttpResponse:
    """The results of a search in all workspaces; for the palette without the page around them."""
    filters = ListFilter(request.GET)
    text = filters.text("Tenant, policy, run number, reference or request ID").removeprefix("#")
    context: dict[str, Any] = {"filters": filters, "text": text}
    if text and not filters.errors:
        try:
            with statement_timeout(SECONDS):
                context["groups"] = search(request.user, text)
        except TookTooLong:
            context["too_slow"] = True
    template = "tenancy/_search_results.html" if request.htmx else "tenancy/search.html"
    if context.get("too_slow"):
        return render(request, template, context, status=503)
    return render_checked(request, template, context, errors=filters.errors)
