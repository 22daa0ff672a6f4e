"""`sluice variable-group` as a person types it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

SECRET = "hunter2-very-secret-0815"


def create(sluice: Sluice, name: str = "settings", *more: str, given: str = SECRET) -> str:
    fields = ("--set", "Region=north", "--set", "empty=", "--secret", "token=-")
    return sluice("variable-group", "create", name, *fields, *more, given=given)


def test_a_new_home_has_no_groups(sluice: Sluice) -> None:
    assert "sluice variable-group create" in sluice("variable-group", "list")
    assert sluice.json("variable-group", "list") == []


def test_a_group_is_shown_without_its_secrets(sluice: Sluice) -> None:
    assert "created the variable group 'settings'" in create(sluice, "settings", "--description", "of all")
    shown = sluice.json("variable-group", "show", "SETTINGS")
    assert shown["variables"] == {"Region": "north", "empty": ""}
    assert (shown["secrets"], shown["references"], shown["pipelines"]) == (["token"], {}, [])
    assert (shown["number"], shown["version"], shown["description"]) == (1, 1, "of all")
    text = sluice("variable-group", "show", "settings")
    assert "(secret, set)" in text
    assert "no pipeline yet" in text
    assert "settings" in sluice("variable-group", "list")


def test_secrets_come_from_files_the_environment_or_a_reference(sluice: Sluice) -> None:
    (sluice.folder / "key").write_text(f"{SECRET}\n")
    sluice.environment["TOKEN"] = SECRET
    options = ("--secret", "a=@key", "--secret", "b=env:TOKEN", "--secret-ref", "c=env:TOKEN")
    sluice("variable-group", "create", "g", *options)
    shown = sluice.json("variable-group", "show", "g")
    assert (shown["secrets"], shown["references"]) == (["a", "b"], {"c": "env:TOKEN"})
    assert "(secret, read from env:TOKEN)" in sluice("variable-group", "show", "g")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--secret", f"token={SECRET}"),
        ("--secret", SECRET),
        ("--secret-ref", f"token={SECRET}"),
        ("--set", SECRET),
        ("--secret", "token=", SECRET),
        (f"--sceret=token={SECRET}",),
    ],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(sluice: Sluice, arguments: Sequence[str]) -> None:
    assert SECRET not in sluice("variable-group", "create", "g", *arguments, status=2)
    assert sluice.json("variable-group", "list") == []


def test_a_plain_value_for_a_stored_secret_is_refused_and_not_repeated(sluice: Sluice) -> None:
    create(sluice)
    error = sluice("variable-group", "update", "settings", "--set", "TOKEN=another-1234", status=2)
    assert "is secret" in error
    assert "another-1234" not in error


def test_mistakes_are_one_line_with_what_to_do(sluice: Sluice) -> None:
    create(sluice)
    for arguments, text in (
        (("create", "settings"), "exists already"),
        (("create", "two", "--set", "a(b=1"), "could not be referred to"),
        (("create", "two", "--set", "a=1", "--secret-ref", "A=env:X"), "given twice"),
        (("show", "setings"), "did you mean 'settings'"),
        (("update", "settings", "--unset", "regoin"), "did you mean 'Region'"),
        (("list", "--project", "nowhere"), "no project 'nowhere'"),
        (("delete", "settings"), "add --yes; no pipeline is permitted"),
        (("permit", "settings"), "--pipeline"),
        (("permit", "settings", "--pipeline", "ci"), "no pipeline 'ci'"),
    ):
        error = sluice("variable-group", *arguments, status=2)
        assert text in error
        assert len(error.splitlines()) == 1


def test_an_update_keeps_what_it_does_not_name(sluice: Sluice) -> None:
    create(sluice, "settings", "--allow-all-pipelines")
    before = sluice.json("variable-group", "show", "settings")
    options = ("--set", "region=south", "--unset", "EMPTY", "--name", "Settings 2", "--output", "json")
    after = json.loads(sluice("variable-group", "update", "settings", *options))
    assert after["changed"] == ["name", "empty", "Region"]
    assert after["variables"] == {"Region": "south"}
    shown = sluice.json("variable-group", "show", "settings 2")
    for key in ("id", "number", "secrets", "createdOn", "pipelines"):
        assert shown[key] == before[key]
    assert "is as it was" in sluice("variable-group", "update", "settings 2")


def test_a_secret_that_cannot_be_masked_is_warned_about(sluice: Sluice) -> None:
    create(sluice, given="ab")
    assert "warning: the secret 'token' is too short" in sluice.printed


def test_open_access_is_granted_and_ended(sluice: Sluice) -> None:
    create(sluice)
    assert sluice.json("variable-group", "permit", "settings", "--all-pipelines")["changed"] is True
    assert "(as before)" in sluice("variable-group", "permit", "settings", "--all-pipelines")
    assert sluice.json("variable-group", "show", "settings")["pipelines"] == ["all pipelines"]
    sluice("variable-group", "revoke", "settings", "--all-pipelines")
    assert sluice.json("variable-group", "show", "settings")["pipelines"] == []


def test_deleting_and_projects(sluice: Sluice) -> None:
    create(sluice, "settings", "--project", "shop")
    assert sluice.json("variable-group", "list") == []
    assert "deleted" in sluice("variable-group", "delete", "settings", "--yes", "--project", "SHOP")
    assert sluice.json("variable-group", "list", "--project", "shop") == []


def test_text_of_a_group_cannot_steer_the_terminal(sluice: Sluice) -> None:
    create(sluice, "settings", "--set", "x=\x1b]0;evil\x07")
    assert "\x1b" not in sluice("variable-group", "show", "settings")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_a_secret_is_asked_for_twice_and_not_shown(sluice: Sluice) -> None:
    answers = [("token:", f"{SECRET}\n"), ("confirm", f"{SECRET}\n")]
    status, shown = sluice.on_a_terminal(["variable-group", "create", "g", "--secret", "token=-"], answers)
    assert status == 0, shown
    assert SECRET not in shown
    assert sluice.json("variable-group", "show", "g")["secrets"] == ["token"]


def test_no_command_and_no_file_shows_a_secret(sluice: Sluice) -> None:
    create(sluice)
    for arguments in (
        ("variable-group", "list"),
        ("variable-group", "list", "--output", "json"),
        ("variable-group", "show", "settings"),
        ("variable-group", "show", "settings", "--output", "json"),
        ("variable-group", "history", "settings", "--output", "json"),
        ("audit", "list", "--output", "json"),
        ("audit", "verify"),
        ("key", "rotate"),
        ("--debug", "variable-group", "show", "settings"),
    ):
        sluice(*arguments)
    assert "Traceback" in sluice.run("--debug", "variable-group", "show", "nothing").stderr
    assert SECRET not in sluice.printed
    content = b"".join(file.read_bytes() for file in sluice.home.rglob("*") if file.is_file())
    assert b"Region" in content
    for form in (SECRET.encode(), SECRET.encode().hex().encode(), SECRET.encode("utf-16-le")):
        assert form not in content


PIPELINE = """
variables:
- group: settings
steps:
- bash: echo "region $(Region), token $(token), unmapped [$TOKEN], mapped ${#MAPPED}"
  env: {MAPPED: $(token)}
"""


def test_a_run_waits_for_its_group_and_goes_on_when_it_is_permitted(sluice: Sluice) -> None:
    create(sluice)
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    sluice.real = True
    assert sluice.run("run", "--non-interactive").returncode == 4
    assert "Variable group 'settings'" in sluice.printed
    assert "sluice permit 1 --variable-group settings" in sluice.printed
    assert "waits for variable group 'settings'" in sluice("runs", "show", "1")
    (asked,) = sluice.json("runs", "show", "1")["waitingFor"]
    assert (asked["resourceType"], asked["name"]) == ("variablegroup", "settings")
    assert "does not wait for service connection 'settings'" in sluice(
        "permit", "1", "--connection", "settings", status=2
    )
    sluice("variable-group", "permit", "settings", "--pipeline", sluice.json("runs", "list")[0]["pipeline"])
    sluice("resume", "1", "--non-interactive")
    assert f"region north, token ***, unmapped [], mapped {len(SECRET)}" in sluice("runs", "logs", "1")
    (use,) = sluice.json("variable-group", "history", "settings")
    assert (use["run"], use["result"]) == (1, "Succeeded")
    assert "opened for job Job of run 1" in sluice("audit", "list")
    sluice("audit", "verify")
    assert SECRET not in sluice.printed
    assert all(SECRET.encode() not in file.read_bytes() for file in sluice.folder.rglob("*") if file.is_file())


def test_a_group_may_be_permitted_with_the_run_or_denied_in_it(sluice: Sluice) -> None:
    create(sluice)
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    assert sluice.run("run", "--non-interactive").returncode == 4
    assert "Denied 'settings'" in sluice("deny", "1", "--variable-group", "settings")
    assert "did you mean" in sluice("run", "--permit", "setings", status=2)
    sluice.real = True
    sluice("run", "--non-interactive", "--permit", "SETTINGS")


def test_a_pipeline_of_a_missing_group_does_not_start(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    error = sluice("run", status=2)
    assert "azure-pipelines.yml:3:10: Could not find a variable group with name settings." in error
    assert "sluice variable-group create 'settings'" in error
    assert sluice.json("runs", "list") == []


LIMITED = """
variables: [{group: settings}]
stages:
- stage: A
  condition: eq(variables.where, 'here')
  jobs: [{job: J, steps: [{checkout: none}, {script: echo in A}]}]
- stage: B
  dependsOn: []
  jobs: [{job: J, steps: [{checkout: none}, {script: echo in B}]}]
"""


def test_a_permit_within_limits_lets_a_condition_read_the_group_in_that_stage_alone(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(LIMITED)
    sluice("variable-group", "create", "settings", "--set", "where=here")
    sluice("variable-group", "permit", "settings", "--pipeline", "azure-pipelines.yml", "--stage", "A")
    said = sluice.run("run", "--non-interactive").stdout
    assert "in A" in said
    assert "in B" not in said
    assert "the variable group 'settings' only within limits: stage 'B' is not one of 'A'" in said


@pytest.mark.parametrize("kind", ["environment", "secure-file", "repository"])
def test_permits_of_other_resources_are_limited_to_branches(sluice: Sluice, kind: str) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text("steps: [{script: 'true'}]")
    (sluice.folder / "thing").write_text("x")
    make = {"environment": ("create", "thing"), "secure-file": ("upload", "thing"), "repository": ()}[kind]
    if make:
        sluice(kind, *make)
    given = ("--pipeline", "azure-pipelines.yml", "--branch", "main")
    assert sluice.json(kind, "permit", "thing", *given)["limits"] == {"branches": ["refs/heads/main"]}
