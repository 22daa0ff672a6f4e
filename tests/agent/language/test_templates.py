from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from sluice.errors import NotFoundError, PermissionPendingError, PipelineError
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan, Repository

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]


def scripts(plan: Plan) -> list[str]:
    jobs = [job for stage in plan.stages for job in stage.jobs]
    return [step.inputs["script"].value for job in jobs for step in job.steps if "script" in step.inputs]


def test_paths_lead_from_the_including_file_or_from_the_root(compiled: Compiled) -> None:
    plan = compiled(
        "steps: [{template: d/one.yml}]",
        {
            "d/one.yml": "steps: [{template: two.yml}, {template: /three.yml}, {template: '..\\three.yml'}]",
            "d/two.yml": "steps: [{script: two}]",
            "three.yml": "steps: [{script: three}]",
        },
    )
    assert scripts(plan) == ["two", "three", "three"]
    assert plan.files == ("a.yml", "d/one.yml", "d/two.yml", "three.yml")


def test_templates_of_other_repositories_include_their_own_files(compiled: Compiled) -> None:
    plan = compiled(
        """
        resources: {repositories: [{repository: other, type: git, name: p/r}]}
        jobs:
        - template: d/jobs.yml@Other
        """,
        {
            "d/jobs.yml@other": "jobs: [{job: J, steps: [{template: s.yml}, {template: s.yml@other}, {template: m.yml@self}]}]",
            "d/s.yml@other": "steps: [{script: theirs}]",
            "m.yml": "steps: [{script: ours}]",
        },
    )
    assert scripts(plan) == ["theirs", "theirs", "ours"]
    assert "d/jobs.yml@other" in plan.files


def test_an_inclusion_in_a_parameter_is_found_from_where_it_is_written(compiled: Compiled) -> None:
    plan = compiled(
        """
        steps:
        - template: d/wrap.yml
          parameters:
            inner: [{template: mine.yml}]
        """,
        {
            "d/wrap.yml": """
                parameters: [{name: inner, type: stepList}]
                steps: [{script: before}, '${{ parameters.inner }}']
            """,
            "mine.yml": "steps: [{script: mine}]",
        },
    )
    assert scripts(plan) == ["before", "mine"]


def test_extending_chains_and_brings_resources_and_triggers(compiled: Compiled) -> None:
    plan = compiled(
        """
        name: mine
        resources: {repositories: [{repository: r, name: p/r}]}
        extends:
          template: one.yml@r
          parameters: {x: 1}
        """,
        {
            "one.yml@r": """
                name: theirs
                parameters: [{name: x, type: number}]
                trigger: [main]
                resources: {repositories: [{repository: s, name: p/s}]}
                variables: {v: '${{ parameters.x }}'}
                extends: {template: two.yml}
            """,
            "two.yml@r": "stages: [{stage: S, jobs: [{job: J, steps: [{script: '${{ variables.v }}'}]}]}]",
        },
    )
    assert scripts(plan) == ["1"]
    assert plan.extends == ("one.yml@r", "two.yml@r")
    assert [each.alias for each in plan.repositories] == ["r", "s"]
    assert (plan.run_name, plan.triggers) == ("mine", {"trigger": ["main"]})


def test_the_extended_template_may_depend_on_a_parameter(compiled: Compiled) -> None:
    text = """
        parameters: [{name: official, type: boolean, default: false}]
        extends:
          ${{ if parameters.official }}:
            template: official.yml
          ${{ else }}:
            template: unofficial.yml
        """
    files = {"official.yml": "steps: [{script: o}]", "unofficial.yml": "steps: [{script: u}]"}
    assert scripts(compiled(text, files)) == ["u"]
    assert scripts(compiled(text, files, parameters={"official": True})) == ["o"]


def test_variables_of_a_template_are_known_to_the_file(compiled: Compiled) -> None:
    plan = compiled(
        "variables: [{template: v.yml, parameters: {p: x}}, {name: b, value: '${{ variables.a }}'}]\nsteps: [{script: s}]",
        {"v.yml": "parameters: {p: ''}\nvariables: {a: '${{ parameters.p }}1'}"},
    )
    assert [(each.name, str(each.value)) for each in plan.variables] == [("a", "x1"), ("b", "x1")]


def test_each_file_is_read_once(compiled: Compiled) -> None:
    reads: list[str] = []

    class Counting:
        def read(self, repository: Repository, path: str) -> str:
            reads.append(f"{path}@{repository.alias}")
            return "steps: [{script: x}]"

    compile_pipeline("a.yml", "steps:\n" + "- template: t.yml\n" * 50, files=Counting())
    assert reads == ["t.yml@self"]


@pytest.mark.parametrize(
    ("text", "files", "message"),
    [
        ("steps: [{template: x.yml}]", {}, "a.yml:1:20: there is no template file 'x.yml'"),
        ("steps: [{template: ../x.yml}]", {}, "the template '../x.yml' lies outside its repository"),
        ("steps: [{template: x.yml@y}]", {}, "the repository 'y' of the template 'x.yml@y' is unknown (declare it"),
        ("steps: [{template: $(x).yml}]", {}, "only '${{ }}' can be used"),
        ("steps: [{template: ''}]", {}, "'template' names no file"),
        ("steps: [{template: x.yml, condition: a}]", {"x.yml": "steps: []"}, "a template has no condition"),
        ("steps: [{template: x.yml, parameters: [a]}]", {"x.yml": "steps: []"}, "'parameters' has to be a mapping"),
        ("steps: [{template: x.yml}]", {"x.yml": "jobs: []"}, "the template 'x.yml' has no 'steps'"),
        ("steps: [{template: x.yml}]", {"x.yml": "[a]"}, "the template 'x.yml' has to be a mapping"),
        ("steps: [{template: x.yml}]", {"x.yml": "a: ["}, "x.yml:2:1: not valid YAML"),
        ("steps: [{template: x.yml}]", {"x.yml": "steps: [{scrip: a}]"}, "x.yml:1:10: unknown key 'scrip' of a step"),
        ("steps: [{template: x.yml}]", {"x.yml": "steps: [{scrip: a}]"}, "included from a.yml:1:20"),
        ("extends: {template: x.yml}", {"x.yml": "extends: {template: x.yml}"}, "include each other in a circle"),
        (
            "steps: [{template: x.yml}]",
            {"x.yml": "steps: [{template: x.yml}]"},
            "include each other in a circle: x.yml",
        ),
        (
            "extends: {template: x.yml}\nvariables: {a: b}",
            {"x.yml": "variables: {c: d}\nsteps: [{script: a}]"},
            "a.yml:2:1: 'variables' is already defined",
        ),
        ("extends: {template: x.yml}\nsteps: [{script: a}]", {"x.yml": "steps: []"}, "'steps' is already defined"),
        ("extends: x.yml", {}, "'extends' has to be a mapping, not a text"),
        ("extends: {templat: x.yml}", {}, "'extends' needs 'template'"),
    ],
)
def test_a_wrong_template_is_told(problems: Problems, text: str, files: dict[str, str], message: str) -> None:
    found = problems(text, files)
    assert any(message in line for line in found), found


def test_a_repository_that_is_not_at_hand_is_told_with_advice() -> None:
    class Nothing:
        def read(self, repository: Repository, path: str) -> str:
            raise NotFoundError(f"the repository '{repository.alias}' is not at hand", do="name a checkout of it")

    with pytest.raises(PipelineError) as refused:
        compile_pipeline("a.yml", "extends: {template: x.yml}", files=Nothing())
    assert "the template 'x.yml' cannot be read: the repository 'self' is not at hand (name a checkout of it)" in str(
        refused.value
    )


def test_whoever_reads_a_template_is_told_the_repository_with_its_expressions_evaluated() -> None:
    seen: list[Repository] = []

    class Watching:
        def read(self, repository: Repository, path: str) -> str:
            seen.append(repository)
            return "steps: [{script: x}]"

    text = """
        parameters: [{name: at, default: release}]
        steps: [{template: t.yml@TPL}]
        resources: {repositories: [{repository: tpl, type: GitHub, name: o/r, ref: 'refs/heads/${{ parameters.at }}', endpoint: gh}]}
    """
    compile_pipeline("a.yml", dedent(text), files=Watching())
    (found,) = seen
    assert (found.alias, found.type, found.name, found.ref) == ("tpl", "github", "o/r", "refs/heads/release")
    assert str(found.endpoint) == "gh"


def test_a_template_that_waits_for_a_permit_ends_the_compilation_as_such() -> None:
    class Unpermitted:
        def read(self, repository: Repository, path: str) -> str:
            raise PermissionPendingError("somebody has to permit it")

    with pytest.raises(PermissionPendingError):
        compile_pipeline("a.yml", "extends: {template: x.yml}", files=Unpermitted())


def test_directives_at_every_level_of_a_deep_chain_are_no_problem(compiled: Compiled) -> None:
    item = "steps: [{{'${{{{ if true }}}}': [{{'${{{{ if true }}}}': [{{template: {}.yml}}]}}]}}]"
    chain = {f"{number}.yml": item.format(number + 1) for number in range(98)}
    assert scripts(compiled("steps: [{template: 0.yml}]", chain | {"98.yml": "steps: [{script: end}]"})) == ["end"]


def test_a_hundred_files_and_a_hundred_levels_are_the_limit(compiled: Compiled, problems: Problems) -> None:
    chain = {f"{number}.yml": f"steps: [{{template: {number + 1}.yml}}]" for number in range(98)}
    last = {"98.yml": "steps: [{script: end}]"}
    assert scripts(compiled("steps: [{template: 0.yml}]", chain | last)) == ["end"]
    files = {f"{number}.yml": "steps: [{script: x}]" for number in range(101)}
    text = "steps: [" + ", ".join(f"{{template: {name}}}" for name in files) + "]"
    assert "more than 100 template files" in problems(text, files)[0]


class Places:
    """Files by repository and path: a path may look as if it had an alias."""

    def __init__(self, files: dict[tuple[str, str], str]) -> None:
        self._files = files

    def read(self, repository: Repository, path: str) -> str:
        if (repository.name or repository.alias, path) not in self._files:
            raise FileNotFoundError(path)
        return dedent(self._files[repository.name or repository.alias, path])


def test_where_an_extended_template_was_read_is_told_by_its_repository_and_not_by_its_name() -> None:
    text = """
        resources: {repositories: [{repository: secure, type: github, name: octo/secure, ref: refs/tags/v1}]}
        extends: {template: base.yml@secure@self}
    """
    files = {
        ("self", "base.yml@secure"): "extends: {template: d/base.yml@secure}",
        ("octo/secure", "d/base.yml"): "steps: [{script: a}]",
    }
    plan = compile_pipeline("a.yml", dedent(text), files=Places(files))
    assert plan.extends == ("base.yml@secure", "d/base.yml@secure")
    assert [(each.repository.alias, each.repository.ref, each.path) for each in plan.extended] == [
        ("self", "", "base.yml@secure"),
        ("secure", "refs/tags/v1", "d/base.yml"),
    ]


def test_an_alias_is_not_declared_anew_by_a_template() -> None:
    anew = """
        resources: {repositories: [{repository: TOOLS, type: git, name: ops/secure}]}
        extends: {template: base.yml@tools}
    """
    text = """
        resources: {repositories: [{repository: tools, type: git, name: own/tools}]}
        extends: {template: wrap.yml@tools}
    """
    files = {("own/tools", "wrap.yml"): anew, ("ops/secure", "base.yml"): "steps: [{script: theirs}]"}
    with pytest.raises(PipelineError, match="exists already"):
        compile_pipeline("a.yml", dedent(text), files=Places(files))
