"""The tag `url` of all templates: it formats an address once, and keeps it.

A page has about thirty, most of which are the same on every page of a workspace.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.template import Context, Library
from django.template.base import Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as parse_url
from django.urls import get_script_prefix, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

register = Library()


class AddressNode(URLNode):
    """`{% url "name" argument … %}`, without names of arguments and without `as`."""

    def render(self, context: Context) -> str:
        name: str = self.view_name.resolve(context)
        if ":" in name or not context.autoescape:
            return str(super().render(context))
        arguments = tuple(str(argument.resolve(context)) for argument in self.args)
        return _address(get_script_prefix(), settings.ROOT_URLCONF, name, arguments)


@register.tag
def url(parser: Parser, token: Token) -> URLNode:
    """Django's tag `url`."""
    node = parse_url(parser, token)
    if node.kwargs or node.asvar:
        return node
    return AddressNode(node.view_name, node.args, node.kwargs, node.asvar)


@lru_cache(maxsize=10_000)
def _address(_prefix: str, routes: Any, name: str, arguments: tuple[str, ...]) -> SafeString:
    return escape(reverse(name, routes, arguments))
