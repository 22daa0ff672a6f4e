"""Node packages in whole runs: what they keep for each other outlives a pause and a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.real.node.conftest import Author

pytestmark = pytest.mark.real

EXECUTIONS: dict[str, Any] = {
    "prejobexecution": {"Node10": {"target": "pre.js"}},
    "execution": {"Node10": {"target": "main.js"}},
    "postjobexecution": {"Node10": {"target": "post.js"}},
}
PIPELINE = """
steps:
- checkout: none
- task: Probe@1
  name: probe
- script: echo "##vso[task.setvariable variable=where]late"
- task: Asks@1
  inputs: {server: $(where)}
"""


def _sluice(folder: Path, *arguments: str, status: int = 0, given: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sluice", *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        | {"SLUICE_HOME": str(folder / "home")},
        cwd=folder,
        input=given or "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_job_pauses_between_the_executions_of_a_task_and_goes_on(author: Author, tmp_path: Path) -> None:
    probe = author.write(
        "tl.setTaskVariable('hidden', 'task-' + 'secret-7', true); console.log('main sees', tl.getTaskVariable('first'));",
        EXECUTIONS,
        pre="tl.setTaskVariable('first', 'one');",
        post="console.log('post sees', tl.getTaskVariable('first'), tl.getTaskVariable('hidden'));",
    )
    asks = author.write(
        "console.log('asked', tl.getEndpointUrl(tl.getInput('server', true), false));",
        {
            "id": "5f1f7c3e-0000-4000-8000-000000000009",
            "name": "Asks",
            "inputs": [{"name": "server", "type": "connectedService:generic", "required": True}],
        },
    )
    for package in (probe, asks):
        _sluice(tmp_path, "task", "install", str(package))
    (tmp_path / "p.yml").write_text(PIPELINE)
    fields = ("--type", "generic", "--url", "https://late.invalid")
    _sluice(tmp_path, "connection", "create", "late", *fields, "--secret", "password=-", given="pass-word-9")
    waiting = _sluice(tmp_path, "run", "p.yml", "--non-interactive", status=4)
    assert "main sees one" in waiting
    _sluice(tmp_path, "permit", "1")
    rest = _sluice(tmp_path, "resume", "1", "--non-interactive")
    assert "asked https://late.invalid" in rest
    assert "post sees one ***" in rest
    records = json.loads(_sluice(tmp_path, "runs", "show", "1", "--output", "json"))["records"]
    steps = [one["name"] for one in records if one["type"] == "Task"]
    assert [name for name in steps if "probe" in name.lower()] == ["Pre-job: probe", "probe", "Post-job: probe"]
    assert "task-secret-7" not in "".join(
        path.read_text(errors="replace") for path in (tmp_path / "home").rglob("*") if path.is_file()
    )
