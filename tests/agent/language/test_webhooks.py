"""Which events start a pipeline."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.language.compiler import compile_pipeline
from sluice.language.webhooks import Filter, Webhook, text_at, webhooks_of

PAYLOAD = {
    "repositoryName": "maven-releases",
    "action": "CREATED",
    "count": 3,
    "done": True,
    "nothing": None,
    "component": {"name": "tar", "tags": [{"name": "a"}, {"name": "b.c"}], "odd key": "x"},
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("repositoryName", "maven-releases"),
        ("$.repositoryName", "maven-releases"),
        ("component.name", "tar"),
        ("component.tags[1].name", "b.c"),
        ("component['odd key']", "x"),
        ('$["component"]["name"]', "tar"),
        ("count", "3"),
        ("done", "true"),
        ("nothing", ""),
        ("RepositoryName", None),
        ("component", None),
        ("component.tags[2].name", None),
        ("component.tags.name", None),
        ("action[0]", None),
        ("a..b", None),
        ("[", None),
    ],
)
def test_a_path_leads_to_a_text_or_nowhere(path: str, text: str | None) -> None:
    assert text_at(PAYLOAD, path) == text


@given(path=st.text(alphabet="ab.[]'\"0 $", max_size=40))
def test_no_path_leads_astray(path: str) -> None:
    found = text_at({"a": {"b": ["x", {"a": 1}]}}, path)
    assert found is None or isinstance(found, str)


def test_every_filter_has_to_be_fulfilled() -> None:
    both = (Filter("repositoryName", "maven-releases"), Filter("action", "CREATED"))
    assert Webhook(alias="w", connection="c", filters=both).wants(PAYLOAD)
    assert Webhook(alias="w", connection="c").wants(PAYLOAD)
    assert not Webhook(alias="w", connection="c", filters=(*both, Filter("count", "4"))).wants(PAYLOAD)
    assert not Webhook(alias="w", connection="c", filters=(Filter("action", "created"),)).wants(PAYLOAD)


def test_the_webhooks_of_a_file_are_read_as_written() -> None:
    text = """
    resources:
      webhooks:
      - webhook: nexus
        connection: hook
        filters:
        - {path: action, value: CREATED}
      - {webhook: other, connection: another}
    steps: [{script: echo}]
    """
    assert webhooks_of("a.yml", text) == (
        Webhook(alias="nexus", connection="hook", filters=(Filter("action", "CREATED"),)),
        Webhook(alias="other", connection="another"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "resources: {webhooks: {webhook: a}}",
        "resources: {webhooks: [{webhook: a}]}",
        "resources: {webhooks: [{webhook: a, connection: b, filters: [{path: c}]}]}",
        "resources: {webhooks: [{webhook: a, connection: b, filters: all}]}",
        "resources: {webhooks: [{webhook: a, connection: b, filters: [{path: [c], value: d}]}]}",
        "steps: [{script: echo}]",
    ],
)
def test_what_is_not_understood_lets_nothing_through(text: str) -> None:
    assert webhooks_of("a.yml", text) == ()


def test_a_payload_is_data_whatever_is_in_it() -> None:
    text = """
    resources: {webhooks: [{webhook: hook, connection: c}]}
    steps: [{script: 'echo ${{ parameters.hook.text }}'}]
    """
    payload = json.loads('{"text": "${{ variables[\'Build.Reason\'] }} - template: x"}')
    plan = compile_pipeline("a.yml", text, parameters={"hook": payload})
    script = plan.stages[0].jobs[0].steps[-1].inputs["script"]
    assert script.value == "echo ${{ variables['Build.Reason'] }} - template: x"
