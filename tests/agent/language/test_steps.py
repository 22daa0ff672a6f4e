from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.language.plan import Plan, Step

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]


def steps_of(plan: Plan) -> list[Step]:
    return list(plan.stages[0].jobs[0].steps)


def only(plan: Plan) -> Step:
    found = [step for step in steps_of(plan) if not step.implicit]
    assert len(found) == 1
    return found[0]


def texts(step: Step) -> dict[str, str]:
    return {name: text.value for name, text in step.inputs.items()}


@pytest.mark.parametrize(
    ("step", "task", "inputs"),
    [
        ("script: a", "CmdLine@2", {"script": "a"}),
        ("{script: a, workingDirectory: w}", "CmdLine@2", {"script": "a", "workingDirectory": "w"}),
        ("bash: a", "Bash@3", {"script": "a", "targetType": "inline"}),
        ("powershell: a", "PowerShell@2", {"script": "a", "targetType": "inline"}),
        ("pwsh: a", "PowerShell@2", {"script": "a", "targetType": "inline", "pwsh": "true"}),
        ("{checkout: self, fetchDepth: 1}", "Checkout@1", {"repository": "self", "fetchDepth": "1"}),
        ("{download: current, artifact: x}", "DownloadPipelineArtifact@2", {"source": "current", "artifact": "x"}),
        (
            "{downloadBuild: b, artifact: x, path: p, inputs: {a: c}}",
            "DownloadBuildArtifacts@0",
            {"buildType": "b", "artifactName": "x", "downloadPath": "p", "a": "c"},
        ),
        ("{getPackage: p, path: d}", "DownloadPackage@1", {"definition": "p", "downloadPath": "d"}),
        ("{publish: d, artifact: x}", "PublishPipelineArtifact@1", {"targetPath": "d", "artifact": "x"}),
        ("{upload: d, artifact: x}", "PublishPipelineArtifact@1", {"targetPath": "d", "artifact": "x"}),
        ("reviewApp: r", "ReviewApp@0", {"resourceName": "r"}),
        ("{task: copyfiles@2, inputs: {contents: x}}", "CopyFiles@2", {"contents": "x"}),
        ("{task: 5bfb729a-a7c8-4a78-a7c3-8d717bb7c13c@2, inputs: {Contents: x}}", "CopyFiles@2", {"Contents": "x"}),
    ],
)
def test_every_kind_of_step_is_a_task(compiled: Compiled, step: str, task: str, inputs: dict[str, str]) -> None:
    found = only(compiled(f"steps:\n- {step}\n"))
    assert (found.task.value, texts(found)) == (task, inputs)


def test_common_keys_are_kept(compiled: Compiled) -> None:
    step = only(
        compiled("""
        steps:
        - script: a
          name: mine
          displayName: Mine
          condition: failed()
          continueOnError: yes
          timeoutInMinutes: 3
          retryCountOnTaskFailure: 2
          env: {A: b}
          target: {container: host, commands: restricted, settableVariables: [x]}
        """)
    )
    assert (step.name, step.named, step.display_name) == ("mine", True, "Mine")
    assert str(step.condition) == "failed()"
    assert str(step.continue_on_error) == "true"
    assert str(step.timeout_minutes) == "3"
    assert step.retry_count == 2
    assert {name: str(text) for name, text in step.env.items()} == {"A": "b"}
    assert step.target is not None
    assert (step.target.container, step.target.restricted, step.target.settable) == ("host", True, ("x",))


def test_steps_without_a_name_are_numbered_around_the_written_ones(compiled: Compiled) -> None:
    plan = compiled("steps:\n- script: a\n- {script: b, name: cmdline2}\n- script: c\n- bash: d\n")
    assert [step.name for step in steps_of(plan)] == ["Checkout1", "CmdLine1", "cmdline2", "CmdLine3", "Bash1"]


def test_the_repository_is_checked_out_unless_the_steps_say_otherwise(compiled: Compiled) -> None:
    assert [step.implicit for step in steps_of(compiled("steps:\n- script: a\n"))] == [True, False]
    assert [step.task.value for step in steps_of(compiled("steps:\n- checkout: none\n- script: a\n"))] == ["CmdLine@2"]
    explicit = steps_of(compiled("steps:\n- script: a\n- checkout: self\n"))
    assert [step.task.value for step in explicit] == ["CmdLine@2", "Checkout@1"]
    server = compiled("pool: server\nsteps:\n- task: Delay@1\n  inputs: {delayForMinutes: 1}\n")
    assert [step.task.value for step in steps_of(server)] == ["Delay@1"]


def test_a_disabled_step_is_left_out(compiled: Compiled) -> None:
    assert only(compiled("steps:\n- {script: a, enabled: false}\n- script: b\n")).inputs["script"].value == "b"


def test_settable_variables_none_allows_none(compiled: Compiled) -> None:
    step = only(compiled("steps:\n- script: a\n  target: {settableVariables: none}\n"))
    assert step.target is not None
    assert step.target.settable == ()


def test_more_retries_than_ten_are_noted(compiled: Compiled) -> None:
    plan = compiled("steps:\n- {script: a, retryCountOnTaskFailure: 50}\n")
    assert only(plan).retry_count == 10
    assert "at most 10" in plan.notes[0]


def test_an_input_that_the_task_does_not_have_is_noted(compiled: Compiled) -> None:
    plan = compiled("steps:\n- task: CopyFiles@2\n  inputs:\n    contens: x\n")
    assert "a.yml:4:5: the task 'CopyFiles@2' has no input 'contens' (did you mean 'Contents'?)" in plan.notes


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("scripts: a", "a.yml:2:3: unknown key 'scripts' of a step (did you mean 'script'?)"),
        ("{script: a, displayname: b}", "unknown key 'displayname' of a 'script' step (did you mean 'displayName'?)"),
        ("{script: a, bash: b}", "unknown key 'bash' of a 'script' step"),
        ("displayName: a", "a.yml:2:3: a step has to say what it does (one of: task, script,"),
        ("a", "a.yml:2:3: a step has to be a mapping, not a text"),
        ("script: [a]", "'script' of a 'script' step has to be a text, not a sequence"),
        ("{script: a, name: a b}", "the step name 'a b' has characters other than"),
        ("{script: a, enabled: maybe}", "'enabled' has to be true or false, not 'maybe'"),
        ("{script: a, continueOnError: maybe}", "'continueOnError' has to be true or false, not 'maybe'"),
        ("{script: a, timeoutInMinutes: x}", "'timeoutInMinutes' has to be a whole number, not 'x'"),
        ("{script: a, retryCountOnTaskFailure: $(x)}", "has to be known when the run is created"),
        ("{script: a, condition: eq(1}", "a.yml:2:26: Unclosed function: 'eq'. Located at position 1"),
        ("{script: a, condition: dependencies.a}", "Unrecognized"),
        ("{script: a, target: lab}", "'lab' is no alias of 'resources.containers'"),
        ("{script: a, env: [b]}", "'env' of a 'script' step has to be a mapping, not a sequence"),
        ("{script: a, env: {b: [c]}}", "'b' of 'env' has to be a text, not a sequence"),
        ("checkout: other", "'other' is no alias of 'resources.repositories'"),
        ("download: other", "'other' is no alias of 'resources.pipelines'"),
        ("task: Bash", "the task 'Bash' needs a version (write 'Bash@3')"),
        ("task: Bash@9", "there is no version 9 of the task 'Bash' (known: 3)"),
        ("task: CopyFile@2", "unknown task 'CopyFile@2' (did you mean 'CopyFiles@2'"),
        ("task: a.b.c.Task@1", "the task 'a.b.c.Task@1' is not installed (sluice extension install"),
        ("task: 00000000-1111-2222-3333-444444444444@1", "is not installed (sluice extension install"),
    ],
)
def test_a_wrong_step_is_told_with_advice(problems: Problems, step: str, message: str) -> None:
    assert any(message in line for line in problems(f"steps:\n- {step}\n"))


def test_every_wrong_step_is_told(problems: Problems) -> None:
    assert len(problems("steps:\n- scrip: a\n- bsh: b\n- {script: c, nam: d}\n- task: Foo@1\n")) == 4


def test_two_steps_of_a_job_have_different_names(problems: Problems) -> None:
    found = problems("steps:\n- {script: a, name: x}\n- {script: b, name: X}\n")
    assert found == ["a.yml:3:21: the step 'X' exists already (first at a.yml:2:21)"]


def test_aliases_of_resources_are_known(compiled: Compiled) -> None:
    compiled("""
        resources:
          repositories:
          - {repository: tools, type: git, name: a/b}
          pipelines:
          - {pipeline: up, source: Up}
          containers:
          - {container: box, image: alpine}
        steps:
        - checkout: tools
        - checkout: git://project/repo@refs/heads/main
        - download: up
        - {script: a, target: box}
        """)
