"""What all requests and responses share: a reference, headers for browsers, limits of bodies."""

import codecs
import logging
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from api.problems import PREFIX, ApiError, problem_of
from telemetry import tracing
from tenancy.http import render_error, try_again_later
from tenancy.passwords import TooManyPasswords, answer_too_many_passwords
from web.bodies import body_is_ignored
from web.downloads import download_slots

log = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

GetResponse = Callable[[HttpRequest], HttpResponse]


class ReferenceMiddleware:
    """Adds a reference to each request, for its log lines and its error page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.reference = uuid.uuid4().hex[:12]  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(reference=request.reference):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response["X-Reference"] = request.reference  # type: ignore[attr-defined]
        return response


#: Requests of monitoring, which would be most of the traces.
UNTRACED = {"/healthz", "/livez", "/metrics"}


class TracingMiddleware:
    """Records each request as a span by its route; a trace of a client is not continued."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in UNTRACED:
            return self.get_response(request)
        method = request.method if request.method in METHODS else "_OTHER"
        attributes = {"http.request.method": method}
        with tracing.span(str(method), attributes, kind="server") as span:
            response = self.get_response(request)
            span.set({"http.response.status_code": response.status_code})
            if request.resolver_match:
                span.rename(f"{method} {request.resolver_match.view_name}")
                span.set({"http.route": request.resolver_match.route})
        return response


#: Pages have no inline scripts and styles, and load nothing of other sites.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
#: What pages may use: the clipboard for copy buttons, and passkeys. Everything else is off, as far as
#: Chromium knows it: it warns about other names in the console.
PERMISSIONS = {
    "clipboard-write": "(self)",
    "publickey-credentials-create": "(self)",
    "publickey-credentials-get": "(self)",
} | dict.fromkeys(
    (
        *("accelerometer", "autoplay", "browsing-topics", "camera", "clipboard-read"),
        *("display-capture", "encrypted-media", "fullscreen", "gamepad", "geolocation"),
        *("gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts"),
        *("magnetometer", "microphone", "midi", "otp-credentials", "payment"),
        *("picture-in-picture", "screen-wake-lock", "serial", "storage-access", "usb"),
        *("window-management", "xr-spatial-tracking"),
    ),
    "()",
)


class BrowserPolicyMiddleware:
    """Turns off what no page uses or loads, and keeps responses out of the pages of other sites."""

    policy = ", ".join(f"{feature}={allowed}" for feature, allowed in PERMISSIONS.items())

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response["Permissions-Policy"] = self.policy
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


class ContentTypeMiddleware:
    """Answers 400 to a body that does not claim to be UTF-8, as every form of the pages does.

    Django decodes with any codec that Python knows, and some of them are not for text.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if not getattr(request, "has_valid_content_type", True) or not _is_utf8(charset):
            raise BadRequest("The charset of the Content-Type header is not UTF-8")
        return self.get_response(request)


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        return False


class PrivateResponseMiddleware:
    """Forbids caching: pages show the tenants of one user, and a fragment is not a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        patch_vary_headers(response, ["HX-Request"])
        return response


class RequestBodyMiddleware:
    """Refuses bodies that no page expects, before anything reads them.

    Django writes the files of a multipart body into the temporary folder before it checks the
    session, the token or the path, and counts them in no limit.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_multipart = (request.content_type or "").startswith("multipart/")
        if is_multipart and not body_is_ignored(request):
            return render_error("415.html", 415)
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return render_error("400.html", 400)
        if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return render_error("413.html", 413)
        # Django would take a body without a length as empty.
        if "HTTP_TRANSFER_ENCODING" in request.META and not length:
            return render_error("411.html", 411)
        return self.get_response(request)


class PasswordCapacityMiddleware:
    """Answers 503 where this process has no capacity to check another password."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer_too_many_passwords(request) if isinstance(error, TooManyPasswords) else None


class DownloadCapacityMiddleware:
    """Answers 503 to a download while this process sends as many as it may."""

    retry_after_seconds = 60

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.streaming or download_slots.occupy(response):
            return response
        # Nothing has been read for the refused response, so there is nothing to close.
        log.warning("too many downloads at the same time: %s", request.path)
        if request.path_info.startswith(PREFIX):
            detail = "Other downloads are running. Try again in a minute."
            refusal = problem_of(request, ApiError(503, "too_many_downloads", detail))
        else:
            refusal = render_error("too_many_downloads.html", 503)
        return try_again_later(refusal, self.retry_after_seconds)
