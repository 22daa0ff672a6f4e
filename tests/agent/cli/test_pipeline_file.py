"""Commands that look at a pipeline and run nothing: validate, preview, schema."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PIPELINE = """
parameters:
- name: names
  type: object
  default: [red, blue]
steps:
- ${{ each name in parameters.names }}:
  - script: echo ${{ name }}
"""
BROKEN = """
steps:
- scripts: echo
- script: echo $(x)
  displayNames: y
"""


@pytest.fixture(autouse=True)
def pipelines(sluice: Sluice) -> None:
    sluice.folder.joinpath("azure-pipelines.yml").write_text(PIPELINE)
    sluice.folder.joinpath("broken.yml").write_text(BROKEN)


def test_a_valid_pipeline_is_said_to_be_valid_and_nothing_is_stored(sluice: Sluice) -> None:
    assert sluice("validate") == "azure-pipelines.yml is valid: 1 stage, 1 job\n"
    assert not sluice.home.exists()


def test_every_problem_is_named_with_its_place_and_the_status_is_2(sluice: Sluice) -> None:
    said = sluice("validate", "broken.yml", status=2).splitlines()
    assert said == [
        "sluice: broken.yml:3:3: unknown key 'scripts' of a step (did you mean 'script'?)",
        "sluice: broken.yml:5:3: unknown key 'displayNames' of a 'script' step (did you mean 'displayName'?)",
    ]


def test_problems_are_data_for_those_who_ask(sluice: Sluice) -> None:
    done = sluice.run("validate", "broken.yml", "--output", "json")
    answer = json.loads(done.stdout)
    assert done.returncode == 2
    assert answer["valid"] is False
    assert [(one["line"], one["column"]) for one in answer["problems"]] == [(3, 3), (5, 3)]
    assert json.loads(sluice("validate", "--output", "json"))["valid"] is True


def test_a_preview_is_expanded_and_compiles_to_the_same_preview(sluice: Sluice) -> None:
    text = sluice("preview")
    assert "${{" not in text
    assert "echo red" in text
    sluice.folder.joinpath("again.yml").write_text(text)
    assert sluice("preview", "again.yml") == text
    assert json.loads(sluice("preview", "--output", "json")) == {"finalYaml": text}


def test_a_file_that_is_not_there_is_one_clear_line(sluice: Sluice) -> None:
    for command in ("validate", "preview", "run"):
        said = sluice(command, "nowhere.yml", status=2)
        assert said.count("\n") == 1
        assert "nowhere.yml" in said


def test_the_schema_knows_the_language(sluice: Sluice) -> None:
    schema = json.loads(sluice("schema"))
    assert {"stages", "jobs", "steps", "extends", "parameters", "resources"} <= set(schema["properties"])


@pytest.mark.parametrize(
    "pipeline",
    [
        "pool: server\njobs:\n- job: A\n  steps:\n  - task: AzureFunction@1",
        "pool: server\njobs:\n- job: A\n  steps:\n  - task: queryWorkItems@0",
    ],
)
@pytest.mark.parametrize("command", ["validate", "explain"])
def test_what_run_refuses_is_a_problem_with_the_same_words(sluice: Sluice, command: str, pipeline: str) -> None:
    sluice.folder.joinpath("refused.yml").write_text(pipeline)
    refused = sluice("run", "refused.yml", status=2)
    assert "by Sluice" in refused
    assert sluice(command, "refused.yml", status=2) == refused


@pytest.mark.parametrize("command", ["validate", "preview", "run", "explain"])
def test_a_pipeline_is_a_file_on_disk(sluice: Sluice, command: str) -> None:
    os.mkfifo(sluice.folder / "pipe.yml")
    sluice.folder.joinpath("t.yml").write_text("steps:\n- template: pipe.yml\n")
    for path in ("/dev/stdin", "/dev/null", "pipe.yml"):
        assert "is no file on disk (save the pipeline to a file" in sluice(command, path, status=2)
    assert "'pipe.yml' is no file on disk" in sluice(command, "t.yml", status=2)
    sluice.real = True
    assert "is no file on disk" in sluice(command, "/dev/stdin", given=PIPELINE, status=2)
