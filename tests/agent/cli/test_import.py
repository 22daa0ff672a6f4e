"""`sluice import classic` as a person types it: what comes out runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

EXPORT = Path(__file__).parents[1] / "language" / "classic" / "two-jobs.json"
DEPOT = "1f0d0000-0000-4000-8000-00000000000a"


@pytest.fixture
def definition(sluice: Sluice) -> Path:
    """The export, without what takes git-lfs and submodules."""
    content = json.loads(EXPORT.read_text())
    content["repository"] = {"type": "TfsGit", "clean": "false", "properties": {}}
    content["triggers"] = content["triggers"][:1]
    content["variableGroups"] = content["variableGroups"][:1]
    return write(sluice, content)


def write(sluice: Sluice, content: Any) -> Path:
    path = sluice.folder / "definition.json"
    path.write_text(json.dumps(content))
    return path


def test_what_comes_out_runs(sluice: Sluice, definition: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", "."], cwd=sluice.folder, check=True)
    sluice("variable-group", "create", "shared settings", "--set", "a=b", "--allow-all-pipelines")
    for name in ("web1", "web2"):
        sluice.create(name, "--allow-all-pipelines")
    other = "1f0d0000-0000-4000-8000-00000000000b"
    names = ("--connection", f"{DEPOT}=web1", "--connection", f"{other}=web2")
    said = sluice.run("import", "classic", "definition.json", "--to", "azure-pipelines.yml", *names)
    assert said.returncode == 0, said.stderr
    assert "problem:" not in said.stderr
    assert "note: variables.ApiKey: the value of the secret variable 'ApiKey' is in no export" in said.stderr
    assert "is valid: 1 stage, 2 jobs" in sluice("validate")
    output = sluice("run", "--non-interactive")
    assert "made=yes in debug on x64" in output
    assert "made=yes in release on x64" in output
    assert "the second job is after" in output


def test_it_is_printed_unless_it_is_to_be_written(sluice: Sluice, definition: Path) -> None:
    text = sluice("import", "classic", "definition.json")
    assert text.startswith("# Made from the classic build definition 'Depot CI'.\nname: $(date:yyyyMMdd)$(rev:.r)\n")
    assert "script: |\n" in text
    shown = sluice.json("import", "classic", "definition.json")
    assert (shown["yaml"], shown["problems"]) == (text, [])
    assert {"where", "what", "do"} == set(shown["notes"][0])


def test_connections_of_this_project_and_of_an_exported_list_are_known_by_their_ids(
    sluice: Sluice, definition: Path
) -> None:
    sluice.create("ours")
    content = json.loads(definition.read_text())
    steps = content["process"]["phases"][0]["steps"]
    steps[2]["inputs"]["sshEndpoint"] = sluice.json("connection", "show", "ours")["id"]
    write(sluice, content)
    (sluice.folder / "list.json").write_text(
        json.dumps({"value": [{"id": steps[3]["inputs"]["sshEndpoint"], "name": "theirs"}]})
    )
    text = sluice("import", "classic", "definition.json", "--connections", "list.json")
    assert "sshEndpoint: ours" in text
    assert "sshEndpoint: theirs" in text


def test_a_task_that_is_not_known_is_a_problem_of_what_comes_out(sluice: Sluice, definition: Path) -> None:
    content = json.loads(definition.read_text())
    content["process"]["phases"][0]["steps"][0]["task"]["id"] = "22222222-2222-4333-8444-555555555555"
    write(sluice, content)
    shown = sluice.json("import", "classic", "definition.json")
    assert [note for note in shown["notes"] if "is not known here" in note["what"]]


def test_what_is_there_is_replaced_only_by_force(sluice: Sluice, definition: Path) -> None:
    (sluice.folder / "there.yml").write_text("mine")
    arguments = ("import", "classic", "definition.json", "--to", "there.yml")
    assert "is there already" in sluice(*arguments, status=2)
    assert (sluice.folder / "there.yml").read_text() == "mine"
    sluice(*arguments, "--force")
    assert "jobs:" in (sluice.folder / "there.yml").read_text()


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"{", "is no JSON"), (b"\xff", "is no JSON"), (b"[" * 200_000, "is no JSON"), (b"{}", "no classic")],
)
def test_what_is_no_definition_is_refused(sluice: Sluice, content: bytes, text: str) -> None:
    (sluice.folder / "x.json").write_bytes(content)
    assert text in sluice("import", "classic", "x.json", status=2)
    assert "cannot be read" in sluice("import", "classic", "nowhere.json", status=2)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_export_written_by_powershell_is_read(sluice: Sluice, definition: Path, encoding: str) -> None:
    plain = sluice("import", "classic", "definition.json")
    definition.write_text(definition.read_text(encoding="utf-8"), encoding=encoding)
    assert sluice("import", "classic", "definition.json") == plain


def test_a_step_that_names_no_task_is_told(sluice: Sluice) -> None:
    text = '{"process": {"type": 1, "phases": [{"steps": [{"task": null}]}]}}'
    (sluice.folder / "x.json").write_text(text)
    told = sluice.json("import", "classic", "x.json")["notes"]
    assert {"where": "process.phases[0].steps[0]", "what": "the step names no task"}.items() <= told[-1].items()


def test_names_are_given_as_pairs(sluice: Sluice, definition: Path) -> None:
    assert "ID=NAME" in sluice("import", "classic", "definition.json", "--connection", "x", status=2)
    (sluice.folder / "list.json").write_text("{}")
    assert "no list of service connections" in sluice(
        "import", "classic", "definition.json", "--connections", "list.json", status=2
    )
