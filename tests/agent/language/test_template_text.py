from __future__ import annotations

import pytest

from sluice.language.template_text import Directive, Embedded, TemplateTextError, directive, split


def test_a_text_falls_into_plain_parts_and_expressions() -> None:
    assert split("a ${{ b }}c${{d}}") == ["a ", Embedded("b", 6), "c", Embedded("d", 14)]


def test_braces_in_quotes_do_not_end_an_expression() -> None:
    assert split("${{ format('}}{0}''}}', a) }}!") == [Embedded("format('}}{0}''}}', a)", 4), "!"]


@pytest.mark.parametrize("text", ["${{ a", "${{ 'a }}", "x ${{ a }} ${{ 'b''"])
def test_an_expression_that_does_not_end_is_refused(text: str) -> None:
    with pytest.raises(TemplateTextError):
        split(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${{ if eq(a, b) }}", Directive("if", "eq(a, b)", start=7)),
        ("${{if a}}", Directive("if", "a", start=6)),
        ("${{ elseif a }}", Directive("elseif", "a", start=11)),
        ("${{ else }}", Directive("else")),
        ("${{ insert }}", Directive("insert")),
        ("${{ each x in a.b }}", Directive("each", "a.b", "x", 14)),
        ("${{ each  x  in  split('a b', ' ') }}", Directive("each", "split('a b', ' ')", "x", 17)),
        ("${{ iffy }}", None),
        ("${{ each.value }}", None),
        ("${{ if a }} b", None),
        ("plain", None),
    ],
)
def test_directives_are_told_from_other_keys(text: str, found: Directive | None) -> None:
    assert directive(text) == found


@pytest.mark.parametrize("text", ["${{ if }}", "${{ else a }}", "${{ each x }}", "${{ each in y }}", "${{ insert x }}"])
def test_a_directive_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(TemplateTextError):
        directive(text)
