"""Compressed responses, for requests that no other site has caused.

The length of a compressed page can reveal a text in it to a site that makes a browser send requests
with guesses, and to anyone who sees their lengths on the network (BREACH). So what another site has
caused is not compressed: browsers say it in `Sec-Fetch-Site`. Django adds random bytes to the rest.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

#: A link or form of this site, and an address that the user has typed or opened from a bookmark.
OWN = frozenset({"same-origin", "none"})
#: Types whose files are compressed already.
COMPRESSED = frozenset({"application/zip", "application/gzip"})


class CompressionMiddleware(GZipMiddleware):
    """Django's compression with gzip; streams are compressed as they are sent."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Compress the response to a request of this site."""
        patch_vary_headers(response, ["Sec-Fetch-Site"])
        is_compressed = response.headers.get("Content-Type", "") in COMPRESSED
        if is_compressed or request.headers.get("Sec-Fetch-Site") not in OWN:
            return response
        return super().process_response(request, response)
