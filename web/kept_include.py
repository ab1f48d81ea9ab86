"""The tag `include_kept` of all templates: a part of a page that is rendered once for the same values.

The navigation is the same on every page of a workspace, and takes longer to render than most pages.
The part sees the values that the tag names and nothing else, neither the request nor its user, so
that it cannot contain anything of another user.
"""

from __future__ import annotations

from functools import lru_cache
from types import NoneType
from typing import Any

from django.conf import settings
from django.template import Context, Library, Node, Template, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.urls import get_script_prefix
from django.utils.safestring import SafeString

register = Library()


class KeptIncludeNode(Node):
    """`{% include_kept "template" name=value … %}`; the values are texts, numbers or tuples of them."""

    def __init__(self, template: FilterExpression, values: dict[str, FilterExpression]) -> None:
        self.template, self.values = template, values

    def render(self, context: Context) -> SafeString:
        name = self.template.resolve(context)
        template = context.template.engine.get_template(name)  # type: ignore[union-attr]
        values = [value.resolve(context, ignore_failures=True) for value in self.values.values()]
        if not all(map(_is_plain, values)):
            raise TypeError(f"{name} gets a value that is no text, number or tuple of them.")
        place = get_script_prefix(), settings.ROOT_URLCONF
        return _render(template, place, tuple(self.values), *values)


def _is_plain(value: object) -> bool:
    """Return whether equal values are rendered equally: a text that is marked as safe is not."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in (str, int, bool, NoneType)


@lru_cache(maxsize=256, typed=True)
def _render(
    template: Template, _place: tuple[str, Any], names: tuple[str, ...], *values: object
) -> SafeString:
    return template.render(Context(dict(zip(names, values, strict=True))))


@register.tag
def include_kept(parser: Parser, token: Token) -> KeptIncludeNode:
    """Include a template that depends on these values only."""
    _, *bits = token.split_contents()
    if not bits:
        raise TemplateSyntaxError("include_kept needs the name of a template.")
    template = parser.compile_filter(bits.pop(0))
    values = token_kwargs(bits, parser)
    if bits:
        raise TemplateSyntaxError("include_kept takes values such as name=value.")
    return KeptIncludeNode(template, values)
