"""`sluice task` and `sluice extension`, as people use them; packages here run a shell, so that no Node is needed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

ID = "5f1f7c3e-0000-4000-8000-000000000001"


def _shell(argument: str = "echo") -> dict[str, Any]:
    return {"Process": {"target": "sh", "argumentFormat": f"-c '{argument}'", "failOnStandardError": "false"}}


def _write(folder: Path, name: str = "Greet", version: str = "1.0.0", **more: Any) -> Path:
    major, minor, patch = map(int, version.split("."))
    package = folder / f"{name}-{version}"
    package.mkdir()
    manifest: dict[str, Any] = {
        "id": ID,
        "name": name,
        "friendlyName": "Greeting",
        "version": {"Major": major, "Minor": minor, "Patch": patch},
        "inputs": [{"name": "who", "aliases": ["person"], "defaultValue": "world"}],
        "execution": _shell('echo hello "$0"'),
    }
    manifest["execution"]["Process"]["argumentFormat"] += " $(who)"
    (package / "task.json").write_text("\ufeff// ours\n" + json.dumps(manifest | more))
    return package


def _pipeline(sluice: Sluice, text: str) -> str:
    (sluice.folder / "p.yml").write_text(f"steps:\n- checkout: none\n{text}")
    return "p.yml"


def test_a_package_is_installed_listed_shown_run_and_removed(sluice: Sluice) -> None:
    package = _write(sluice.folder)
    assert "installed: Greet@1.0.0" in sluice("task", "install", str(package))
    assert "already installed" in sluice("task", "install", str(package))
    listed = sluice.json("task", "list")
    assert [(one["reference"], one["runs"], one["id"]) for one in listed] == [("Greet@1", True, ID)]
    shown = sluice.json("task", "show", "greet@1")
    assert shown["inputs"][0]["aliases"] == ["person"]
    assert shown["handlers"] == {"main": ["Process"]}
    assert "sha256:" in sluice("task", "show", ID)
    file = _pipeline(sluice, "- task: Greet@1\n  inputs: {person: \"Ann; echo 'x'\"}\n")
    output = sluice("run", file, "--non-interactive")
    assert "hello Ann; echo 'x'" in output
    assert "Task         : Greeting" in output
    assert "removed: Greet@1.0.0" in sluice("task", "remove", "Greet")
    assert "unknown task 'Greet@1'" in sluice("run", file, status=2)
    assert "is not installed" in sluice("task", "show", "Greet", status=2)


def test_a_pipeline_says_which_version_and_a_run_keeps_it(sluice: Sluice) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        sluice("task", "install", str(_write(sluice.folder, version=version)))
    text = "".join(f"- task: {one}\n" for one in ("Greet@1", "Greet@1.0.0", f"{ID}@2"))
    output = sluice("run", _pipeline(sluice, text), "--non-interactive")
    versions = [line.partition(": ")[2] for line in output.splitlines() if line.startswith("Version")]
    assert versions == ["1.1.0", "1.0.0", "2.0.0"]


def test_a_changed_package_stops_the_run(sluice: Sluice) -> None:
    sluice("task", "install", str(_write(sluice.folder)))
    file = _pipeline(sluice, "- task: Greet@1\n")
    sluice("run", file, "--non-interactive")
    (sluice.home / f"tasks/Greet_{ID}/1.0.0/evil.sh").write_text("evil")
    known = sluice("run", file, "--non-interactive", status=1)  # this process knows the task: its step looks again
    assert "was changed since it was installed" in sluice.printed
    assert "hello" not in known
    sluice.real = True
    error = sluice("run", file, "--non-interactive", status=2)
    assert "was changed since it was installed" in error
    assert "sluice task remove Greet@1.0.0" in error


def test_a_changed_package_is_told_by_list_and_by_another_install(sluice: Sluice) -> None:
    package = str(_write(sluice.folder))
    sluice("task", "install", package)
    assert [one["changed"] for one in sluice.json("task", "list")] == [False]
    (sluice.home / f"tasks/Greet_{ID}/1.0.0/evil.sh").write_text("evil")
    assert [one["changed"] for one in sluice.json("task", "list")] == [True]
    assert "no: changed" in sluice("task", "list")
    error = sluice("task", "install", package, status=2)
    assert "was changed since it was installed" in error
    assert "sluice task remove Greet@1.0.0" in error
    sluice("task", "remove", "Greet@1.0.0")
    assert "installed: Greet@1.0.0" in sluice("task", "install", package)
    assert "yes" in sluice("task", "list")


def test_what_is_wrong_in_an_archive_is_told_as_a_place_in_it(sluice: Sluice) -> None:
    broken = sluice.folder / "broken.zip"
    with zipfile.ZipFile(broken, "w") as file:
        file.writestr("Greet/task.json", '{"id": }')
    error = sluice("task", "install", str(broken), status=2)
    assert f"{broken}/task.json" in error
    assert ".new-" not in error


def test_a_package_changed_by_an_earlier_step_of_the_job_does_not_run(sluice: Sluice) -> None:
    sluice("task", "install", str(_write(sluice.folder)))
    file = _pipeline(sluice, f"- script: echo >> {sluice.home}/tasks/Greet_{ID}/1.0.0/task.json\n- task: Greet@1\n")
    result = sluice.run("run", file, "--non-interactive")
    assert result.returncode == 1
    assert "was changed since it was installed" in result.stdout
    assert "hello" not in result.stdout


def test_a_task_that_sluice_handles_runs_its_package_only_when_preferred(sluice: Sluice) -> None:
    package = _write(
        sluice.folder, "Bash", "3.0.0", inputs=[{"name": "script"}, {"name": "targetType"}, {"name": "who"}]
    )
    assert "--prefer" in sluice("task", "install", str(package))
    file = _pipeline(sluice, "- task: Bash@3\n  inputs: {targetType: inline, script: echo native}\n")
    assert "native" in sluice("run", file, "--non-interactive").split("Starting Command")[1]
    sluice("task", "install", str(package), "--prefer")
    assert "Task         : Greeting" in sluice("run", file, "--non-interactive")
    sluice("task", "install", str(package), "--no-prefer")
    assert "Task         : Bash" in sluice("run", file, "--non-interactive")


EXECUTIONS: dict[str, Any] = {
    "prejobexecution": _shell('echo before; echo "##vso[task.setvariable variable=early;isoutput=true]yes"'),
    "execution": _shell("echo during"),
    "postjobexecution": _shell("echo after $AGENT_JOBSTATUS"),
}


def test_executions_before_and_after_a_job_are_steps_of_it(sluice: Sluice) -> None:
    sluice("task", "install", str(_write(sluice.folder, **EXECUTIONS)))
    sluice("task", "install", str(_write(sluice.folder, "Other", id=ID.replace("01", "02"), **EXECUTIONS)))
    (sluice.folder / "p.yml").write_text(
        """
jobs:
- job: A
  steps:
  - checkout: none
  - script: echo $(one.early)
    displayName: First
  - task: Greet@1
    name: one
  - task: Other@1
    condition: false
  - script: exit 1
    displayName: Bad
- job: B
  dependsOn: A
  condition: always()
  variables:
    early: $[ dependencies.A.outputs['one.early'] ]
  steps:
  - checkout: none
  - script: echo early is $(early)
"""
    )
    result = sluice.run("run", "p.yml", "--non-interactive")
    assert result.returncode == 1
    assert "early is yes" in result.stdout
    jobs = sluice.json("runs", "show", "1")
    steps = [(step["name"], step["result"]) for step in _steps(jobs, "A")]
    assert steps == [
        ("Pre-job: one", "succeeded"),
        ("Pre-job: Other", "skipped"),
        ("First", "succeeded"),
        ("one", "succeeded"),
        ("Other", "skipped"),
        ("Bad", "failed"),
        ("Post-job: Other", "succeeded"),
        ("Post-job: one", "succeeded"),
    ]
    log = sluice("runs", "logs", "1")
    assert log.count("after Failed") == 2


def _steps(run: Any, job: str) -> list[dict[str, str]]:
    found = [one for one in run["records"] if one["type"] == "Task" and one["identifier"].startswith(f"{job}.")]
    return [{"name": one["name"], "result": str(one["result"]).lower()} for one in found]


def test_a_task_runs_alone_and_tells_what_it_commands(sluice: Sluice) -> None:
    package = _write(
        sluice.folder,
        execution=_shell('echo "##vso[task.setvariable variable=a;issecret=true]hidden-1"; echo hidden-1'),
    )
    told = sluice.json("task", "run", str(package))
    assert told["result"] == "Succeeded"
    assert told["commands"] == [
        {"command": "task.setvariable", "properties": {"variable": "a", "issecret": "true"}, "data": "***"}
    ]
    assert "***" in told["log"]
    assert "hidden-1" not in json.dumps(told)
    failing = _write(sluice.folder, version="2.0.0", execution=_shell("exit 4"))
    assert sluice.json_of_failure("task", "run", str(failing))["message"] == "Process completed with exit code 4."


def test_what_a_task_alone_is_given_is_checked(sluice: Sluice) -> None:
    package = _write(sluice.folder, inputs=[{"name": "server", "type": "connectedService:generic"}])
    assert "has no input 'nope'" in sluice("task", "run", str(package), "--input", "nope=1", status=2)
    assert "no folder, archive or installed task" in sluice("task", "run", "Nothing@1", status=2)
    fake = sluice.folder / "fake.yml"
    for text, message in (
        ("type: ssh", "no input of Greet@1 takes a connection of type 'ssh'"),
        ("name: x", "at least a 'type'"),
        ("type: generic\nextra: 1", "unknown keys of a connection: extra"),
        ("type: generic\nid: x", "is no GUID"),
        ("{", "is no YAML"),
    ):
        fake.write_text(text)
        assert message in sluice("task", "run", str(package), "--connection", str(fake), status=2)


VSIX_IDENTITY = (
    '<?xml version="1.0"?><PackageManifest xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">'
    '<Metadata><Identity Id="tools" Version="1.5.0" Publisher="acme" /></Metadata></PackageManifest>'
)
CONNECTION_TYPE = {
    "id": "depot",
    "type": "ms.vss-endpoint.service-endpoint-type",
    "targets": ["ms.vss-endpoint.endpoint-types"],
    "properties": {
        "name": "AcmeDepot",
        "displayName": "Acme depot",
        "url": {"displayName": "Depot"},
        "authenticationSchemes": [{"type": "ms.vss-endpoint.endpoint-auth-scheme-token"}],
        "inputDescriptors": [{"id": "Shelf", "name": "Shelf", "validation": {"isRequired": True}}],
    },
}


def _vsix(folder: Path, **files: str) -> Path:
    manifest = {
        "contributions": [
            {"id": "greet-task", "type": "ms.vss-distributed-task.task", "properties": {"name": "Greet"}},
            CONNECTION_TYPE,
        ]
    }
    content = {
        "extension.vsomanifest": json.dumps(manifest),
        "extension.vsixmanifest": VSIX_IDENTITY,
        "[Content_Types].xml": "<Types/>",
    }
    for version in ("1.0.0", "2.0.0"):
        task = _write(folder, version=version, inputs=[{"name": "depot", "type": "connectedService:AcmeDepot"}])
        content[f"Greet/{version}/task.json"] = (task / "task.json").read_text()
    path = folder / "acme.vsix"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in (content | files).items():
            file.writestr(name, text)
    return path


def test_an_extension_brings_tasks_and_connection_types(sluice: Sluice) -> None:
    output = sluice("extension", "install", str(_vsix(sluice.folder)))
    assert "installed: acme.tools 1.5.0" in output
    assert "task Greet@1.0.0" in output
    assert "connection type AcmeDepot" in output
    assert [one["fullName"] for one in sluice.json("task", "list")] == ["acme.tools.greet-task.Greet"] * 2
    kind = sluice.json("connection", "types", "acmedepot")
    assert [scheme["scheme"] for scheme in kind["schemes"]] == ["Token"]
    assert "'Shelf'" in sluice(
        *("connection", "create", "depot", "--type", "AcmeDepot", "--url", "https://depot.invalid"),
        *("--secret", "apitoken=-"),
        given="token-1234",
        status=2,
    )
    sluice(
        *("connection", "create", "depot", "--type", "AcmeDepot", "--url", "https://depot.invalid"),
        *("--set", "Shelf=a", "--secret", "apitoken=-", "--allow-all-pipelines"),
        given="token-1234",
    )
    file = _pipeline(sluice, "- task: acme.tools.greet-task.Greet@1\n  inputs: {depot: depot}\n")
    sluice("run", file, "--non-interactive")
    assert sluice.json("extension", "list")[0]["connectionTypes"] == ["AcmeDepot"]
    assert "removed: acme.tools" in sluice("extension", "remove", "Acme.Tools")
    assert sluice.json("task", "list") == []
    assert "no extension is installed" in sluice("extension", "list")


def test_an_extension_cannot_call_its_task_as_azure_pipelines_calls_its_own(sluice: Sluice) -> None:
    evil = _write(sluice.folder, "Gulp", id=ID.replace("01", "07"))
    path = sluice.folder / "evil.vsix"
    contribution = {"id": "gulp", "type": "ms.vss-distributed-task.task", "properties": {"name": "gulp"}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("extension.vsomanifest", json.dumps({"contributions": [contribution]}))
        file.writestr("extension.vsixmanifest", VSIX_IDENTITY)
        file.writestr("gulp/task.json", (evil / "task.json").read_text())
    sluice("extension", "install", str(path))
    file_name = _pipeline(sluice, "- task: Gulp@1\n")
    result = sluice.run("run", file_name, "--non-interactive")
    assert "A task is missing" in result.stdout
    assert "hello" not in result.stdout
    sluice("run", _pipeline(sluice, "- task: acme.tools.gulp.Gulp@1\n"), "--non-interactive")
    assert "only as acme.tools.gulp.Gulp@1" in sluice("task", "list")


def test_an_extension_is_installed_whole_or_not_at_all(sluice: Sluice) -> None:
    broken = _vsix(sluice.folder, **{"Greet/3.0.0/task.json": "{}"})
    assert "task.json is invalid" in sluice("extension", "install", str(broken), status=2)
    assert sluice.json("task", "list") == []
    assert sluice.json("extension", "list") == []


def test_a_stage_waits_for_what_a_contributed_task_names(sluice: Sluice) -> None:
    sluice("extension", "install", str(_vsix(sluice.folder)))
    sluice(
        *("connection", "create", "depot", "--type", "AcmeDepot", "--url", "https://depot.invalid"),
        *("--set", "Shelf=a", "--secret", "apitoken=-"),
        given="token-1234",
    )
    file = _pipeline(sluice, "- task: acme.tools.greet-task.Greet@1\n  inputs: {depot: depot}\n")
    assert sluice.run("run", file, "--non-interactive").returncode == 4
    sluice("task", "install", str(_write(sluice.folder, version="1.7.0")))
    sluice("permit", "1")
    output = sluice("resume", "1", "--non-interactive")
    assert "Version      : 1.0.0" in output


def test_a_job_that_goes_on_from_a_step_repeats_nothing_before_it(sluice: Sluice) -> None:
    sluice("task", "install", str(_write(sluice.folder, **EXECUTIONS)))
    mark = sluice.folder / "mark"
    file = _pipeline(sluice, f"- task: Greet@1\n- script: test -e {mark}\n  name: bad\n")
    assert sluice.run("run", file, "--non-interactive").returncode == 1
    mark.touch()
    output = sluice("retry", "1", "--from", "Job.bad", "--non-interactive")
    assert "before" not in output
    assert "during" not in output
    assert "after Succeeded" in output


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"extension.vsomanifest": "{}"}, ""),
        ({"extension.vsomanifest": "{"}, "extension's manifest is invalid"),
        ({"extension.vsixmanifest": "<!DOCTYPE x [<!ENTITY a 'a'>]><x/>"}, "declares entities"),
        ({"extension.vsixmanifest": "<x>"}, "manifest is invalid"),
        ({"extension.vsixmanifest": '<x><Identity Id="../../x" Publisher="a" Version="1"/></x>'}, "extension's id"),
        ({"../../evil": "x"}, "not allowed in a task package"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_extension_that_is_none_or_would_do_harm_is_refused(
    sluice: Sluice, files: dict[str, str], message: str
) -> None:
    path = _vsix(sluice.folder, **files)
    if message:
        assert message in sluice("extension", "install", str(path), status=2)
        assert sluice.json("task", "list") == []
    else:
        sluice("extension", "install", str(path))


def test_a_run_of_scripts_alone_never_looks_at_packages(sluice: Sluice) -> None:
    sluice.home.mkdir()
    (sluice.home / "tasks").mkdir()
    (sluice.home / "tasks/lock.json").write_text("broken")
    sluice("run", _pipeline(sluice, "- script: echo fine\n"), "--non-interactive")
