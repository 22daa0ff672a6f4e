"""Case 1: whoever writes a commit puts logging commands into it, and the pipeline prints them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

EVIL = "##vso[task.setvariable variable=evil]yes"
PIPELINE = """\
variables:
  copied: $(Build.SourceVersionMessage)
  evaluated: $[variables['Build.SourceVersionMessage']]
  expanded: ${{{{ variables['Build.SourceVersionAuthor'] }}}}
  evil: none
steps:
- checkout: none
- script: {script}
  displayName: Print $(Build.SourceVersionMessage)
  env: {{MAPPED: $(Build.SourceVersionMessage)}}
- script: 'echo "evil is [$(evil)]"'
"""


def commit(sluice: Sluice, pipeline: str, message: str = EVIL) -> None:
    """A repository whose newest commit has the attack in its message and its author."""
    (sluice.folder / "azure-pipelines.yml").write_text(pipeline)
    git = ("git", "-C", str(sluice.folder))
    identity = {"GIT_AUTHOR_NAME": EVIL.replace("vso", "VSO"), "GIT_COMMITTER_NAME": EVIL}
    identity |= {"GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "azure-pipelines.yml"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], env={**os.environ, **identity}, check=True)


@pytest.mark.parametrize(
    "script",
    [
        "'echo \"$(Build.SourceVersionMessage)\"'",
        "'echo \"$BUILD_SOURCEVERSIONMESSAGE\"'",
        "'echo \"$(Build.SourceVersionAuthor)\"'",
        "'echo \"$(copied)\"'",
        "'echo \"$COPIED\"'",
        "'echo \"$(evaluated)\"'",
        "'echo \"$(expanded)\"'",
        "'echo \"$MAPPED\"'",
        "'echo \"$SYSTEM_TASKDISPLAYNAME\"'",
        "'env | sort'",
    ],
)
def test_a_commit_sets_no_variable_however_it_is_printed(sluice: Sluice, script: str) -> None:
    commit(sluice, PIPELINE.format(script=script))
    printed = sluice("run", "--non-interactive")
    assert "evil is [none]" in printed
    assert "**vso[task.setvariable variable=evil]yes" in printed


@pytest.mark.parametrize(
    "message", ["#vso[task.setvariable variable=evil]yes", "vso[task.setvariable variable=evil]yes"]
)
@pytest.mark.parametrize("before", ["#", "##"])
def test_what_the_pipeline_prints_before_it_makes_no_command_of_it(sluice: Sluice, message: str, before: str) -> None:
    commit(sluice, PIPELINE.format(script=f"'echo \"{before}$(Build.SourceVersionMessage)\"'"), message)
    assert "evil is [none]" in sluice("run", "--non-interactive")


def test_a_run_that_is_named_after_its_commit_is_not_made(sluice: Sluice) -> None:
    """What is made harmless has characters that no run number may have."""
    commit(sluice, "name: $(Build.SourceVersionMessage)\n" + PIPELINE.format(script="'echo \"$(Build.BuildNumber)\"'"))
    assert "characters that are not allowed" in sluice("run", "--non-interactive", status=2)
