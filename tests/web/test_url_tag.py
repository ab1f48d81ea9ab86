"""The tag `url` formats an address once, and as Django's does."""

from __future__ import annotations

import pytest
from django.template import Context, Engine
from django.urls import NoReverseMatch, set_script_prefix

DJANGO, OURS = Engine(), Engine(builtins=["web.url_tag"])


@pytest.mark.parametrize(
    "source",
    [
        "{% url 'run_detail' 7 %}",
        "{% url 'run_list' slug %}",
        "{% url 'run_list' slug=slug %}",
        "{% url 'admin:index' %}",
        "{% url name slug as address %}<a href='{{ address }}'>",
        "{% url 'nothing' as address %}[{{ address }}]",
        "{% autoescape off %}{% url 'run_list' slug %}{% endautoescape %}",
    ],
)
def test_it_formats_as_djangos(source: str) -> None:
    values = {"slug": "contoso", "name": "run_list"}
    rendered = {OURS.from_string(source).render(Context(values)) for _ in range(2)}

    assert rendered == {DJANGO.from_string(source).render(Context(values))}


def test_each_prefix_has_its_addresses() -> None:
    template = OURS.from_string("{% url 'run_detail' 7 %}")
    try:
        set_script_prefix("/ledger/")
        prefixed = template.render(Context())
    finally:
        set_script_prefix("/")

    assert (prefixed, template.render(Context())) == ("/ledger/runs/7/", "/runs/7/")


@pytest.mark.parametrize("source", ["{% url 'nothing' %}", "{% url 'run_detail' 'x' %}"])
def test_an_address_that_does_not_exist_is_an_error(source: str) -> None:
    for _ in range(2):
        with pytest.raises(NoReverseMatch):
            OURS.from_string(source).render(Context())
