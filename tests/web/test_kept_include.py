"""The tag `include_kept` renders a part of a page once for the same values, and shows it nothing else."""

from __future__ import annotations

import pytest
from django.template import Context, Engine, Library, TemplateSyntaxError
from django.urls import set_script_prefix
from django.utils.safestring import SafeString

PARTS = {
    "counted.html": "{% count %}:{{ name }}:{{ request }}",
    "linked.html": "{% url 'run_detail' number %}",
}


class Counted:
    """An engine with a part that says how often it was rendered."""

    def __init__(self) -> None:
        self.renderings = 0
        library = Library()

        @library.simple_tag
        def count() -> int:
            self.renderings += 1
            return self.renderings

        loader = ("django.template.loaders.locmem.Loader", PARTS)
        cached = ("django.template.loaders.cached.Loader", [loader])
        self.engine = Engine(loaders=[cached], builtins=["web.url_tag", "web.kept_include"])
        self.engine.template_builtins.append(library)

    def render(self, source: str, **values: object) -> str:
        return str(self.engine.from_string(source).render(Context(values)))


@pytest.fixture
def parts() -> Counted:
    return Counted()


COUNTED = "{% include_kept 'counted.html' name=name %}"


def test_a_part_is_rendered_once_for_the_same_values(parts: Counted) -> None:
    shown = [parts.render(COUNTED, name=name) for name in ("a", "b", "a", "b")]

    assert shown == ["1:a:", "2:b:", "1:a:", "2:b:"]


def test_a_part_sees_neither_the_request_nor_other_values(parts: Counted) -> None:
    assert parts.render(COUNTED, name="a", request="of a user") == "1:a:"


def test_values_are_escaped_and_a_missing_one_is_empty(parts: Counted) -> None:
    assert parts.render(COUNTED, name="<b>") == "1:&lt;b&gt;:"
    assert parts.render(COUNTED) == "2:None:"


def test_equal_values_of_other_types_are_rendered_apart(parts: Counted) -> None:
    assert [parts.render(COUNTED, name=name) for name in (1, True)] == ["1:1:", "2:True:"]


@pytest.mark.parametrize("name", [SafeString("<b>"), object(), ["a"], (SafeString("<b>"),)])
def test_other_values_are_refused(parts: Counted, name: object) -> None:
    with pytest.raises(TypeError, match=r"counted\.html gets a value that is no text"):
        parts.render(COUNTED, name=name)


def test_each_prefix_has_its_addresses(parts: Counted) -> None:
    source = "{% include_kept 'linked.html' number=7 %}"
    try:
        set_script_prefix("/ledger/")
        prefixed = parts.render(source)
    finally:
        set_script_prefix("/")

    assert (prefixed, parts.render(source)) == ("/ledger/runs/7/", "/runs/7/")


@pytest.mark.parametrize("source", ["{% include_kept %}", "{% include_kept 'counted.html' name %}"])
def test_a_tag_without_a_template_or_with_a_bare_value_is_an_error(
    parts: Counted, source: str
) -> None:
    with pytest.raises(TemplateSyntaxError):
        parts.render(source)
