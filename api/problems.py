"""Every error of the API as a problem document (RFC 9457), also those that no operation raises."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from pydantic import BaseModel, Field

PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
#: The errors that an answer lists, and the characters of each: some repeat what was sent.
MAX_ERRORS, MAX_NAME, MAX_MESSAGE = 20, 100, 300
#: What happened and what to do, for the statuses that any request can have.
DETAILS = {
    400: "The request is not valid.",
    401: "Send a valid token in the header Authorization: Bearer TOKEN.",
    403: "The role of the token does not include this action.",
    404: "There is nothing at this address that the token can see.",
    405: "This address does not allow the method. The header Allow lists those that it allows.",
    409: "The current state does not allow this.",
    410: "Retention has removed this.",
    411: "Send the length of the body in the header Content-Length.",
    412: "What is at this address does not have the ETag of the header If-Match.",
    413: "The body is too large.",
    415: "Send the body as application/json.",
    429: "The token has sent too many requests. Wait as long as the header Retry-After says.",
    500: "An unexpected error occurred. Contact your Runledger administrator and quote the reference.",
    503: "Runledger is not available at the moment. Try again later.",
}


class FieldError(BaseModel):
    """What is wrong with one value of the request."""

    location: str = Field(description="Where the value is: query, path, header or body.")
    name: str = Field(description="The name of the value; those of nested values have dots.")
    message: str


class Problem(BaseModel):
    """An error (RFC 9457). Programs decide by `status` and `code`; the texts are for people."""

    type: str = Field(description="A URI that ends with the code.")
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable name of the kind of error.")
    reference: str = Field(description="The reference under which the log has the details.")
    errors: list[FieldError] = Field(
        default_factory=list, description="The values that are not valid, if that is the error."
    )


class ApiError(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        code: str = "",
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = list(errors), dict(headers or {})
        super().__init__(detail or code)


def invalid(errors: Sequence[FieldError]) -> ApiError:
    """Return the error of a request with values that are not valid; an answer lists the first ones."""
    shown = [
        error.model_copy(
            update={"name": error.name[:MAX_NAME], "message": error.message[:MAX_MESSAGE]}
        )
        for error in errors[:MAX_ERRORS]
    ]
    return ApiError(400, "invalid_request", "Correct the values in “errors”.", errors=shown)


def invalid_body(message: str, *, name: str = "body") -> ApiError:
    """Return the error of a body that is not what the operation takes, or of a value in it."""
    return invalid([FieldError(location="body", name=name, message=message)])


def conflict(detail: str, code: str = "conflict") -> ApiError:
    """Return the error of a request that the current state does not allow."""
    return ApiError(409, code, detail)


def problem_of(request: HttpRequest, error: ApiError) -> HttpResponse:
    """Return the problem document of an error."""
    response = HttpResponse(status=error.status)
    _fill(request, response, error)
    for name, value in error.headers.items():
        response[name] = value
    return response


def _fill(request: HttpRequest, response: HttpResponse, error: ApiError) -> None:
    phrase = HTTPStatus(error.status).phrase
    code = error.code or phrase.lower().replace(" ", "_")
    document = Problem(
        type=f"urn:runledger:problem:{code}",
        title=phrase,
        status=error.status,
        detail=error.detail or DETAILS.get(error.status, f"{phrase}."),
        code=code,
        reference=getattr(request, "reference", ""),
        errors=error.errors,
    )
    response.content = json.dumps(document.model_dump(), ensure_ascii=False).encode()
    response["Content-Type"] = CONTENT_TYPE


class ProblemMiddleware:
    """Replaces every error page below /api/ by a problem document, and adds the rate of the token.

    Error pages come from the middleware below this one, which does not know what an address is for,
    and from Django's handlers of addresses that do not exist.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in getattr(request, "rate_headers", {}).items():
            response[name] = value
        if response.status_code < 400 or not request.path_info.startswith(PREFIX):
            return response
        if response["Content-Type"] != CONTENT_TYPE:
            _fill(request, response, ApiError(response.status_code))
        add_never_cache_headers(response)
        if "Content-Length" in response:
            response["Content-Length"] = str(len(response.content))
        return response


def error_fields(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Return the errors of a validation by pydantic, without what was sent."""
    fields = []
    for error in errors:
        location, *names = (str(part) for part in error["loc"])
        # The first name in a body is that of the parameter of the view.
        if location == "body":
            names = names[1:]
        name = ".".join(names) or location
        message = error["msg"]
        if error["type"] == "union_tag_invalid":
            # The text of pydantic repeats the value, of any length.
            message = f"Input should be one of {error['ctx']['expected_tags']}"
        fields.append(FieldError(location=location, name=name, message=message))
    return fields
