"""Required inputs that a step leaves out, as far as the task shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.hooks.declaration import Input
from sluice.language.compiler import compile_pipeline
from sluice.language.tasks import TaskCatalogue, TaskDefinition
from sluice.language.visibility import both_rules, is_visible, missing_inputs
from sluice.runtime.handlers import bash, powershell

VALUES = {"kind": "File", "flag": "true", "later": "$(kind)", "empty": ""}


@pytest.mark.parametrize(
    ("rule", "shows"),
    [
        ("", True),
        ("kind = file", True),
        ("kind == file", True),
        ("kind != file", False),
        ("KIND=inline", False),
        ("kind = file && flag = true", True),
        ("kind = file && flag = false", False),
        ("kind = inline || flag = true", True),
        ("kind = inline || flag = false", False),
        ("kind = inline || kind = file && flag = true", False),
        ("empty = ", True),
        ("missing = x", False),
        ("missing != x", False),
        ("later = file", False),
        ("later != file", False),
        ("kind contains f", False),
        ("kind = file\nflag = true", True),
        ("kind = file\nflag = false", False),
        ("kind = inline || kind = file\nflag = true && kind != x", True),
        ("kind = inline || kind = file\nflag = true && kind = x", False),
        ("\nkind = file\n", True),
    ],
)
def test_a_rule_shows_an_input_only_when_that_is_certain(rule: str, shows: bool) -> None:
    assert is_visible(rule, lambda name: VALUES.get(name.casefold())) is shows


def test_the_rules_of_an_input_and_of_its_group_are_told_apart() -> None:
    assert both_rules(" a = b ", "c = d ||\n e = f") == "a = b\nc = d || e = f"
    assert both_rules("a = b", "a = b") == "a = b"
    assert both_rules("", "") == ""


def test_what_is_left_out_is_found_by_name_and_alias() -> None:
    definition = TaskDefinition(
        reference="Any@1",
        inputs=(
            Input("kind", default="file"),
            Input("path", required=True, visible="kind = file", aliases=("file",)),
            Input("text", required=True, visible="kind = inline"),
            Input("always", required=True, default="x"),
        ),
    )
    assert [one.name for one in missing_inputs(definition, {})] == ["path"]
    assert missing_inputs(definition, {"FILE": "a"}) == []
    assert [one.name for one in missing_inputs(definition, {"Kind": "inline"})] == ["text"]
    assert [one.name for one in missing_inputs(definition, {"always": " ", "file": "x"})] == ["always"]


def test_an_input_that_hangs_on_a_hidden_one_is_hidden() -> None:
    inputs = (
        Input("command", default="save"),
        Input("kind", default="name", visible="command = install"),
        Input("name", required=True, visible="kind = name"),
        Input("other", required=True, visible="name != x"),
        Input("itself", required=True, visible="itself != x"),
    )
    definition = TaskDefinition(reference="Any@1", inputs=inputs)
    assert [one.name for one in missing_inputs(definition, {})] == ["itself"]
    assert [one.name for one in missing_inputs(definition, {"command": "install"})] == ["name", "other", "itself"]


def test_a_pipeline_is_told_and_compiles() -> None:
    plan = compile_pipeline("p.yml", "steps:\n- task: SSH@0\n  inputs: {runOptions: inline}\n")
    assert [note for note in plan.notes if "requires the input 'sshEndpoint'" in note]


@pytest.mark.parametrize(("command", "missing"), [("install", False), ("publish", True)])
def test_npm_asks_for_a_registry_to_publish_to_only_where_it_publishes(command: str, missing: bool) -> None:
    plan = compile_pipeline("p.yml", f"steps:\n- task: Npm@1\n  inputs: {{command: {command}}}\n")
    assert any("requires the input 'publishEndpoint'" in note for note in plan.notes) is missing


@pytest.mark.parametrize(
    ("inputs", "missing"),
    [
        ("command: logout", set()),
        ("command: package", {"chartPath"}),
        ("command: install, connectionType: None", {"chartName"}),
        ("command: install", {"azureSubscriptionEndpoint", "azureResourceGroup", "kubernetesCluster", "chartName"}),
    ],
)
def test_what_a_whole_group_hides_is_not_asked_for(inputs: str, missing: set[str]) -> None:
    plan = compile_pipeline("p.yml", f"steps:\n- task: HelmDeploy@0\n  inputs: {{{inputs}}}\n")
    asked = {note.rpartition("requires the input '")[2].partition("'")[0] for note in plan.notes if "requires" in note}
    assert asked == missing


@pytest.mark.parametrize(
    ("task", "default"),
    [
        ("CmdLine@2", bash.COMMAND_LINE_DEFAULT),
        ("Bash@3", bash.BASH_DEFAULT),
        ("PowerShell@2", powershell.DEFAULT),
    ],
)
def test_an_inline_script_has_the_default_that_its_step_runs(task: str, default: str) -> None:
    definition = TaskCatalogue().find(task)
    assert definition is not None
    assert missing_inputs(definition, {"targetType": "inline"}) == []
    script = definition.input("script")
    assert script is not None
    assert script.default == default


@given(st.text(max_size=200))
def test_any_rule_is_answered(rule: str) -> None:
    is_visible(rule, lambda _: "x")
