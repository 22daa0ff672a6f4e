"""The templates of data sources."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.connections.mustache import MAX_TEMPLATE, TemplateError, fill

VALUES = {"url": "https://host/", "username": "joe", "password": "p:w", "env": "Dev", "empty": ""}


def _fill(template: str) -> str:
    return fill(template, lambda key: VALUES.get(key.lower(), ""))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{endpoint.url}}api", "https://host/api"),
        ("{{{endpoint.url}}}api", "https://host/api"),
        ("$(endpoint.url)api", "https://host/api"),
        ("{{ endpoint.UserName }}", "joe"),
        ("{{endpoint.missing}}", ""),
        (
            'Basic {{ #base64 endpoint.username ":" endpoint.password }}',
            "Basic " + base64.b64encode(b"joe:p:w").decode(),
        ),
        ("{{#equals endpoint.env 'dev'}}d{{else}}p{{/equals}}", "d"),
        ("{{#equals endpoint.env 'prod' 1}}d{{else}}p{{/equals}}!", "p!"),
        ("{{#notEquals endpoint.env 'prod'}}x{{/notEquals}}", "x"),
        ("{{#equals endpoint.env 'prod'}}{{#equals 1 1}}a{{/equals}}{{/equals}}z", "z"),
        ("{{#stringReplace 'https' 'http' endpoint.url}}", "http://host/"),
        ("plain {text} $x", "plain {text} $x"),
    ],
)
def test_a_template_becomes_its_text(template: str, text: str) -> None:
    assert _fill(template) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{#GetKubeConfig}}",
        "{{system.token}}",
        "{{#equals 1 1}}never ended",
        "{{#equals 1 1}}x{{/notEquals}}",
        "x{{/equals}}",
        "{{#equals 1 1}}" * 30,
        "x" * (MAX_TEMPLATE + 1),
        "{{#base64 system.token}}",
    ],
)
def test_what_cannot_be_filled_in_is_told_without_a_value(template: str) -> None:
    with pytest.raises(TemplateError) as raised:
        _fill(template)
    assert "p:w" not in str(raised.value)


@given(st.text(alphabet="{}#/$()\"' aeq1.endpointls", max_size=200))
def test_any_template_is_filled_or_refused(template: str) -> None:
    try:
        _fill(template)
    except TemplateError:
        return


@given(st.text(max_size=50))
def test_what_was_put_in_is_not_a_template_again(value: str) -> None:
    assert fill("<{{endpoint.x}}>", lambda _: "{{endpoint.y}}" + value) == "<{{endpoint.y}}" + value + ">"
