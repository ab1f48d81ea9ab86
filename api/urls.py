"""The addresses of the API, and of the page that describes it."""

from django.urls import URLPattern, include, path

from api.views.document import document_view
from api.views.reference import api_reference
from api.views.v1 import PATH, api

__all__ = ["api", "urlpatterns"]

operations = [
    pattern
    for pattern in api.urls[0]
    if isinstance(pattern, URLPattern) and pattern.name != "api-root"
]
for operation in operations:
    # A token admits to the API, and nothing else does.
    operation.callback.login_required = False  # type: ignore[attr-defined]

urlpatterns = [
    path("w/<slug:slug>/api/", api_reference, name="api_reference"),
    path(f"{PATH[1:]}openapi.json", document_view(api), name="openapi_document"),
    path(PATH[1:], include((operations, "api"))),
]
