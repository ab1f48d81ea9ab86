"""What every request of the API passes: its token, the rate limit, known parameters, entity tags."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control

from accounts.tokens import Rate, Refusal, TokenRefused, authenticate
from api.problems import ApiError, FieldError, invalid, invalid_body, problem_of
from api.requests import ApiRequest
from web.client_address import client_address

Run = Callable[..., HttpResponseBase]
JSON = "application/json"


def gate(run: Run) -> Run:
    """Let only valid requests with a valid token through to an operation.

    A HEAD is answered as a GET, and the server leaves out the body.
    """
    operation: Any = run.__self__  # type: ignore[attr-defined]
    if "GET" in operation.methods:
        operation.methods = [*operation.methods, "HEAD"]

    @functools.wraps(run)
    def respond(request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            access = authenticate(request.headers.get("Authorization"), client_address(request))
        except TokenRefused as refused:
            return problem_of(request, _refusal(refused))
        # From here on, the audit log names the user and the token.
        request.user, request.workspace = access.user, access.token.workspace
        request.rate_headers = rate_headers(access.rate)
        try:
            check_request(request, operation)
            response = run(request, *args, **kwargs)
        except ApiError as error:
            response = problem_of(request, error)
        if request.method == "HEAD" and isinstance(response, StreamingHttpResponse):
            # It would be read and dropped.
            response.streaming_content = ()
        return with_entity_tag(request, response)

    return respond


def rate_headers(rate: Rate) -> dict[str, str]:
    """Return the headers that say how many more requests a token can send, and until when."""
    return {
        "RateLimit-Limit": str(rate.limit),
        "RateLimit-Remaining": str(rate.remaining),
        "RateLimit-Reset": str(rate.reset),
    }


def _refusal(refused: TokenRefused) -> ApiError:
    refusal = refused.refusal
    headers = rate_headers(refused.rate) if refused.rate else {}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refusal.status == 401:
        # RFC 6750: no error code for a request without a token.
        error = "" if refusal is Refusal.MISSING else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="Runledger"{error}'
    return ApiError(refusal.status, f"token_{refusal.name.lower()}", refusal.value, headers=headers)


def check_request(request: ApiRequest, operation: Any) -> None:
    """Refuse parameters that the operation does not know, and bodies that are not JSON.

    A misspelled filter would otherwise select more than was asked for.

    Raises:
        ApiError: the request has one of them.
    """
    by_source = {model.__ninja_param_source__: model for model in operation.models}
    known = by_source["query"].__ninja_flatten_map__ if "query" in by_source else {}
    errors = [
        FieldError(location="query", name=name, message="There is no such parameter.")
        for name in request.GET
        if name not in known
    ]
    errors += [
        FieldError(location="query", name=name, message="Send the parameter once.")
        for name, values in request.GET.lists()
        if name in known and len(values) > 1
    ]
    if errors:
        raise invalid(errors)
    if not request.body:
        return
    if "body" not in by_source:
        message = "This operation takes no body."
        raise invalid_body(message)
    if request.content_type != JSON:
        raise ApiError(415)


def with_entity_tag(request: ApiRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the entity tag of what was read; answer 304 to a client that has it already."""
    is_read = request.method in ("GET", "HEAD") and response.status_code == 200
    if not is_read or not isinstance(response, HttpResponse):
        return response
    patch_cache_control(response, private=True, no_cache=True)
    # RFC 9110, 13.1.4: it is ignored where no time of the last change is known. Django answers 412.
    request.META.pop("HTTP_IF_UNMODIFIED_SINCE", None)
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    conditional = get_conditional_response(request, etag=etag, response=response)
    assert conditional is not None
    return conditional
