"""What every request and response has: a reference, headers for browsers, a readable body."""

import codecs
import uuid
from collections.abc import Callable

import structlog
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers, patch_vary_headers

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
    """Turns off what no page uses, and keeps responses out of the pages of other sites."""

    policy = ", ".join(f"{feature}={allowed}" for feature, allowed in PERMISSIONS.items())

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
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
