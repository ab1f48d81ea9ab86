"""Version 1 of the API: its operations, and how its errors become problem documents."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.errors import ValidationError as InvalidRequest

from api.document import complete
from api.gate import gate
from api.problems import (
    ApiError,
    FieldError,
    error_fields,
    invalid,
    invalid_body,
    problem_of,
)
from api.requests import BodyParser
from api.views import (
    backup_sets,
    exports,
    incidents,
    operations,
    restores,
    runs,
    schedules,
    tenants,
)
from operations.reasons import Blocked
from web.keyset import BadCursor
from web.statement_timeout import TookTooLong

PATH = "/api/v1/"


class RunledgerAPI(NinjaAPI):
    """The API with its document completed by what all operations have in common."""

    def get_openapi_schema(self, **_: Any) -> Any:
        """Return the OpenAPI document."""
        return complete(super().get_openapi_schema(path_prefix=PATH))

    def get_openapi_operation_id(self, operation: Any) -> str:
        """Return the name of the view, which is unique."""
        name: str = operation.view_func.__name__
        return name


api = RunledgerAPI(
    title="Runledger API",
    version="1",
    description="Start operations on Microsoft 365 tenants, and read what they did.",
    openapi_url=None,
    docs_url=None,
    urls_namespace="api",
    parser=BodyParser(),
)
api.add_decorator(gate, mode="view")
for router in (
    operations.router,
    runs.router,
    incidents.router,
    tenants.router,
    schedules.router,
    backup_sets.router,
    exports.router,
    restores.router,
):
    api.add_router("", router)


@api.exception_handler(ApiError)
def _api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return problem_of(request, error)


@api.exception_handler(InvalidRequest)
def _invalid_request(request: HttpRequest, error: InvalidRequest) -> HttpResponse:
    return problem_of(request, invalid(error_fields(error.errors)))


@api.exception_handler(HttpError)
def _unreadable_body(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja replaces what the parser raises.
    if isinstance(error.__cause__, ApiError):
        return problem_of(request, error.__cause__)
    return problem_of(request, invalid_body("The body is not valid JSON."))


@api.exception_handler(ValidationError)
def _refused_by_service(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if not hasattr(error, "error_dict"):
        return problem_of(request, ApiError(409, "refused", " ".join(error.messages)))
    fields = [
        FieldError(location="body", name=name, message=message)
        for name, messages in error.message_dict.items()
        for message in messages
    ]
    return problem_of(request, invalid(fields))


@api.exception_handler(Blocked)
def _blocked(request: HttpRequest, error: Blocked) -> HttpResponse:
    return problem_of(request, ApiError(409, error.code, f"{error.message} {error.next_step}"))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem_of(request, ApiError(404))


@api.exception_handler(PermissionDenied)
def _forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return problem_of(request, ApiError(403, detail=str(error)))


@api.exception_handler(BadCursor)
def _bad_cursor(request: HttpRequest, error: BadCursor) -> HttpResponse:
    message = "This is not the cursor of a page of this list."
    field = FieldError(location="query", name="cursor", message=message)
    return problem_of(request, invalid([field]))


@api.exception_handler(TookTooLong)
def _took_too_long(request: HttpRequest, error: TookTooLong) -> HttpResponse:
    detail = "The list took too long to read. Select fewer rows, or try again later."
    return problem_of(request, ApiError(503, "took_too_long", detail))
