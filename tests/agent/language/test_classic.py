"""Classic build definitions become pipelines; what has no equal in YAML is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.language.classic import Converted, convert
from sluice.language.tasks import TaskCatalogue

BASH = "6c731c3c-3c68-459a-a5c9-bde6e6595b5b"
SSH = "91443475-df55-4874-944b-39253b558790"
DEPOT = "1f0d0000-0000-4000-8000-00000000000a"
FULL = json.loads((Path(__file__).parent / "classic" / "two-jobs.json").read_text())


def converted(definition: object, **connections: str) -> Converted:
    names = {key.replace("_", "-"): name for key, name in connections.items()}
    return convert(definition, find_task=TaskCatalogue().find, connections=names)


def made(**parts: Any) -> dict[str, Any]:
    phase: dict[str, Any] = {
        "name": "Job",
        "refName": "Job_1",
        "target": {"type": 1, "agentSpecification": {"identifier": "ubuntu-22.04"}},
    }
    phase |= {"steps": [step(BASH, targetType="inline", script="true")]}
    phase |= parts.pop("phase", {})
    return {"name": "one", "process": {"type": 1, "phases": [phase]}, **parts}


def step(task: str, version: str = "3.*", **inputs: str) -> dict[str, Any]:
    about = {"id": task, "versionSpec": version, "definitionType": "task"}
    return {"enabled": True, "displayName": "Do", "task": about, "inputs": inputs}


def job(definition: dict[str, Any], **connections: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = converted(definition, **connections).document["jobs"][0]
    return found


def notes(definition: object) -> list[str]:
    return [f"{note.where}: {note.what}" for note in converted(definition).notes]


def test_triggers_become_those_of_yaml() -> None:
    document = converted(FULL).document
    assert document["trigger"] == {
        "batch": True,
        "branches": {"include": ["main", "release/*"], "exclude": ["release/old"]},
        "paths": {"include": ["*"], "exclude": ["docs"]},
    }
    assert document["pr"] == {"branches": {"include": ["main"]}}
    crons = [(one["cron"], one.get("always", False)) for one in document["schedules"]]
    assert crons == [("5 3 * * 1,2,3,4,5", True), ("0 22 * * 6,0", False)]
    assert document["resources"]["pipelines"][0]["source"] == "Depot base"
    assert converted(made()).document["trigger"] == "none"


def test_variables_groups_and_secrets() -> None:
    assert converted(FULL).document["variables"] == [
        {"group": "shared settings"},
        {"name": "BuildConfiguration", "value": "debug,release"},
        {"name": "Platform", "value": "x64"},
    ]
    found = notes(FULL)
    assert "variables.ApiKey: the value of the secret variable 'ApiKey' is in no export" in found
    assert "variableGroups[1]: the variable group with the id 4 is exported without its name" in found


def test_a_phase_becomes_a_job_with_pool_matrix_order_and_times() -> None:
    first, second = converted(FULL).document["jobs"]
    assert first["pool"] == {"vmImage": "ubuntu-22.04", "demands": ["npm", "node.js -equals 20"]}
    legs = {"debug": {"BuildConfiguration": "debug"}, "release": {"BuildConfiguration": "release"}}
    assert first["strategy"] == {"matrix": legs, "maxParallel": 2}
    assert (first["timeoutInMinutes"], first["cancelTimeoutInMinutes"], first["workspace"]) == (60, 5, {"clean": "all"})
    assert (second["dependsOn"], second["condition"], second["timeoutInMinutes"]) == (
        ["Job_1"],
        "succeededOrFailed()",
        20,
    )
    assert second["variables"] == {"Where": "after"}


def test_sources_are_checked_out_as_they_were() -> None:
    first, second = converted(FULL).document["jobs"]
    checkout = {"checkout": "self", "clean": True, "fetchDepth": 1, "lfs": True, "submodules": "recursive"}
    assert first["steps"][0] == {**checkout, "persistCredentials": True}
    assert second["steps"][0] == checkout
    none = made(repository={"type": "TfsGit", "properties": {"skipSyncSource": "true"}})
    assert job(none)["steps"][0] == {"checkout": "none"}
    assert any("TFVC" in note for note in notes(made(repository={"type": "TfsVersionControl"})))


def test_steps_keep_what_they_say_and_are_named_only_where_outputs_are_read() -> None:
    say, read, deploy = job(FULL)["steps"][1:4]
    assert say["name"] == "CmdLine1"
    assert "name" not in read
    assert say["displayName"] == "Say hello from a parameter"
    assert say["env"] == {"GREETING": "hello from a parameter"}
    assert say["inputs"]["script"].startswith("echo hello from a parameter\n")
    assert deploy["task"] == "SSH@0"
    kept = {"continueOnError": True, "enabled": False, "timeoutInMinutes": 7, "retryCountOnTaskFailure": 2}
    assert kept.items() <= deploy.items()
    assert deploy["condition"] == "and(succeeded(), eq(variables['Platform'], 'x64'))"


def test_connections_are_named_whatever_the_case_of_their_id() -> None:
    definition = made(phase={"steps": [step(SSH, "0.*", sshEndpoint=DEPOT.upper(), commands="uptime")]})
    found = converted(definition, **{DEPOT.replace("-", "_"): "depot"})
    assert found.document["jobs"][0]["steps"][1]["inputs"]["sshEndpoint"] == "depot"
    assert not [note for note in found.notes if "named by its id" in note.what]
    assert any("is named by its id" in note for note in notes(definition))
    by_name = made(phase={"steps": [step(SSH, "0.*", sshEndpoint="depot", commands="uptime")]})
    assert not [note for note in notes(by_name) if "named by its id" in note]


def test_what_has_no_equal_in_yaml_is_named_with_its_place() -> None:
    found = notes(FULL)
    for place in (
        "triggers[3]",
        "options[0]",
        "badgeEnabled",
        "jobAuthorizationScope",
        "retentionRules",
        "triggers[1].forks",
    ):
        assert [note for note in found if note.startswith(f"{place}:")], place
    assert not [note for note in found if note.startswith("options[1]")]
    assert "demandsOfOurs: 'demandsOfOurs' is not known, and left out" in notes(made(demandsOfOurs=["x"]))


def test_a_task_group_an_unknown_task_and_an_odd_version_are_named() -> None:
    group = step("11111111-2222-4333-8444-555555555555")
    group["task"]["definitionType"] = "metaTask"
    unknown = step("22222222-2222-4333-8444-555555555555", "1.*")
    odd = step(BASH, "latest")
    found = converted(made(phase={"steps": [group, unknown, odd]}))
    texts = [note.what for note in found.notes]
    assert [text for text in texts if "it is the task group" in text]
    assert [text for text in texts if "is not known here" in text]
    assert [text for text in texts if "the version 'latest'" in text]
    assert found.document["jobs"][0]["steps"][2]["task"] == "22222222-2222-4333-8444-555555555555@1"


def test_pools_by_name_of_older_servers_and_of_the_server_itself() -> None:
    assert job(made(queue={"pool": {"name": "Ours"}}, phase={"target": {"type": 1}}))["pool"] == {"name": "Ours"}
    old = made(queue={"name": "Hosted VS2017"}, phase={"target": {}})
    assert job(old)["pool"] == {"vmImage": "windows-latest"}
    assert any("is no more" in note for note in notes(old))
    assert any("names no image and no pool" in note for note in notes(made(phase={"target": {}})))
    server = job(made(phase={"target": {"type": 2}, "steps": []}))
    assert (server["pool"], server["steps"]) == ("server", [])


def test_definitions_from_before_there_were_phases() -> None:
    old = {"name": "old", "build": [{**step(BASH, script="true"), "alwaysRun": True}], "queue": {"name": "Default"}}
    found = job(old)
    assert (found["job"], found["pool"]) == ("Build", {"name": "Default"})
    assert found["steps"][1]["condition"] == "succeededOrFailed()"


def test_copies_and_matrices_that_cannot_be() -> None:
    copies = {"target": {"executionOptions": {"type": 2, "maxConcurrency": 3}}}
    assert job(made(phase=copies))["strategy"] == {"parallel": 3}
    options = {"target": {"executionOptions": {"type": 1, "multipliers": ["a", "b"]}}}
    many = {name: {"value": ",".join(map(str, range(20)))} for name in "ab"}
    assert "strategy" not in job(made(phase=options, variables=many))
    assert any("more than 256" in note for note in notes(made(phase=options, variables=many)))
    assert any("'a' is no variable with values" in note for note in notes(made(phase=options)))
    same = {"a": {"value": "1,1"}, "b": {"value": "x.y"}}
    assert list(job(made(phase=options, variables=same))["strategy"]["matrix"]) == ["leg_1_1_x_y", "leg_2_1_x_y"]


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ([], "no JSON object"),
        ({}, "neither 'process.phases' nor 'build'"),
        ({"environments": []}, "a release definition"),
        ({"process": {"type": 2, "yamlFilename": "ci/build.yml"}}, "its steps are in 'ci/build.yml'"),
    ],
)
def test_what_is_no_classic_build_definition_is_refused(definition: object, text: str) -> None:
    with pytest.raises(UsageError, match="definition") as raised:
        converted(definition)
    assert text in str(raised.value)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted({
        *FULL, "name", "refName", "target", "steps", "inputs", "type", "value", "task", "id", "phases", "schedules", "multipliers",
    })), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # big texts take a while to draw
@given(st.dictionaries(st.sampled_from(sorted(FULL)), ODD, max_size=8), ODD)
def test_nothing_that_is_json_brings_it_down(parts: dict[str, Any], phase: Any) -> None:
    definition = {**parts, "process": {"type": 1, "phases": [phase, FULL["process"]["phases"][0]]}}
    try:
        found = converted(definition)
    except UsageError:
        return
    assert found.document["jobs"]
