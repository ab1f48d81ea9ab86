"""The OpenAPI document, without sign-in: it has no data of any workspace."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja import NinjaAPI

from api.document import document_text
from tenancy.http import page


def document_view(api: NinjaAPI) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the view of the document of an API."""
    text = cache(lambda: document_text(api))

    @login_not_required
    @page
    def openapi_document(request: HttpRequest) -> HttpResponse:
        return HttpResponse(text(), content_type="application/json")

    return openapi_document
