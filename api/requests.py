"""The request of an operation, and the parameters of lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import django_filters
from django.http import HttpRequest
from ninja import Schema
from ninja.parser import Parser
from pydantic import Field, create_model

from api.problems import invalid_body
from tenancy.http import Request
from tenancy.models import Workspace

#: How many rows a page of a list has.
PAGE_SIZE, MAX_PAGE_SIZE = 50, 100


class ApiRequest(Request):
    """A request whose token is valid.

    `user` is the user of the token with its limit, which `visible_to`, `capabilities_of` and the
    dispatch of runs apply. `workspace` is the one of the token. `ProblemMiddleware` adds the
    `rate_headers` to every answer, also to one that another middleware gives.
    """

    workspace: Workspace
    rate_headers: dict[str, str]


class BodyParser(Parser):
    """Reads bodies as strictly as RFC 8259 recommends.

    Python takes the last of two equal names, where other programs take the first, and accepts numbers
    that are not JSON, such as NaN, and halves of characters, which no answer and no table can have.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the value of the body.

        Raises:
            ApiError: a name is repeated.
            ValueError: the body is not JSON, or a text of it is not Unicode.
        """
        value = json.loads(
            request.body, object_pairs_hook=_unique_names, parse_constant=_refuse_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
        return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise invalid_body("A name is repeated in an object. Send it once.")
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


class ListParameters(Schema):
    """The parameters of a list: where its page begins, and how many rows it has."""

    cursor: str = Field("", max_length=64, description="The value of `next` of the page before.")
    limit: int = Field(
        PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="The number of rows of a page."
    )


def filter_parameters(
    name: str, filters: type[django_filters.FilterSet], *, base: type[ListParameters]
) -> Any:
    """Return the parameters of a list that has the filters of a page, and those of `base`."""
    fields: dict[str, Any] = {
        parameter: (_type_of(each), Field(None, description=f"{each.label}."))
        for parameter, each in filters.base_filters.items()
    }
    return create_model(name, __base__=base, **fields)


def _type_of(each: django_filters.Filter) -> Any:
    if not isinstance(each, django_filters.ChoiceFilter):
        return str | None
    choices = each.extra["choices"]
    return one_of(choices() if callable(choices) else choices)


def one_of(choices: Iterable[tuple[Any, Any]] | Mapping[str, Any]) -> Any:
    """Return the type of an optional parameter that has one of these choices."""
    values = choices if isinstance(choices, Mapping) else (value for value, _ in choices)
    return Literal[tuple(str(value) for value in values)] | None
