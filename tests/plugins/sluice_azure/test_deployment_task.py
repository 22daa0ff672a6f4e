"""`AzureResourceManagerTemplateDeployment@3` against an API that checks templates, versions and rights."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.doubles.azure_deployments import Deployments, Group
from tests.doubles.web import Call, Reply

from sluice.runtime.cancellation import Cancellation
from sluice.testing.task_runner import TaskOutcome, run_task

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

TEMPLATE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {
        "name": {"type": "string"},
        "count": {"type": "int", "defaultValue": 1},
        "key": {"type": "securestring", "defaultValue": ""},
        "tags": {"type": "object", "defaultValue": {}},
    },
    "resources": [{"type": "Microsoft.Storage/storageAccounts", "name": "depot"}],
    "outputs": {
        "host": {"type": "string", "value": "[parameters('name')]"},
        "tags": {"type": "object", "value": "[parameters('tags')]"},
    },
}
RESOURCE = "Microsoft.Storage/storageAccounts/depot"


@pytest.fixture
def deployments(world: World) -> Deployments:
    return Deployments(world.azure, world.management)


def deploy(
    world: World,
    sources: Path,
    record: ConnectionRecord | None = None,
    cancellation: Cancellation | None = None,
    values: Mapping[str, str] | None = None,
    **inputs: str,
) -> TaskOutcome:
    (sources / "main.json").write_text("// the depot\n" + json.dumps(TEMPLATE))
    given = {
        "resourceGroupName": "web",
        "location": "westeurope",
        "csmFile": "main.json",
        "overrideParameters": '-name "a depot" -count 3',
        **(values or {}),
        **inputs,
    }
    connections = {"ConnectedServiceName": world.open(record or _usual(world))}
    return run_task(
        "AzureResourceManagerTemplateDeployment@3",
        connections=connections,
        inputs=given,
        sources=sources,
        cancellation=cancellation,
    )


def _usual(world: World) -> ConnectionRecord:
    known = {one.name: one for one in world.store.list("default")}
    return known.get("cloud") or world.create()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def test_a_template_is_deployed_into_a_group_that_is_made(
    world: World, deployments: Deployments, sources: Path, evidence: Giver
) -> None:
    world.azure.busy = 2
    done = deploy(world, sources, deploymentOutputs="out", deploymentName="first")
    assert done.result == "Succeeded", done.log
    assert deployments.groups["web"].location == "westeurope"
    assert deployments.groups["web"].resources == {RESOURCE}
    properties = deployments.deployed["first"]["properties"]
    assert properties["mode"] == "Incremental"
    assert properties["parameters"] == {"name": {"value": "a depot"}, "count": {"value": 3}}
    assert deployments.foreseen == []
    evidence("azurerm", "ServicePrincipal", "used", "Azure (double)", task="AzureResourceManagerTemplateDeployment@3")


def test_outputs_become_variables(world: World, deployments: Deployments, sources: Path) -> None:
    inputs = {"overrideParameters": '-name depot -tags {"team": "web"}', "deploymentOutputs": "out"}
    done = deploy(world, sources, values=inputs)
    assert done.variables["out.host.value"] == '"depot"'
    assert done.variables["out.tags.value.team"] == '"web"'
    assert json.loads(str(done.variables["out"]))["host"] == {"type": "string", "value": "depot"}
    assert deploy(world, sources, values=inputs, useWithoutJSON="true").variables["out.host.value"] == "depot"


def test_parameters_come_from_a_file_and_references_stay(world: World, deployments: Deployments, sources: Path) -> None:
    vault = {"keyVault": {"id": "/subscriptions/x"}, "secretName": "k"}
    parameters = {"name": {"value": "x", "metadata": 1}, "key": {"reference": vault}}
    (sources / "main.parameters.json").write_text("\ufeff" + json.dumps({"parameters": parameters}))
    done = deploy(world, sources, csmParametersFile="*.parameters.json", deploymentName="p", overrideParameters="")
    assert done.result == "Succeeded", done.log
    assert deployments.deployed["p"]["properties"]["parameters"] == {
        "name": {"value": "x"},
        "key": {"reference": vault},
    }


def test_validation_tells_what_would_change_and_deploys_nothing(
    world: World, deployments: Deployments, sources: Path
) -> None:
    deployments.groups["web"] = Group("westeurope", {RESOURCE})
    done = deploy(world, sources, deploymentMode="Validation")
    assert done.result == "Succeeded", done.log
    assert f"NoChange    {RESOURCE}" in done.lines
    assert deployments.deployed == {}


def test_a_complete_deployment_tells_first_what_it_deletes(
    world: World, deployments: Deployments, sources: Path
) -> None:
    deployments.groups["web"] = Group("westeurope", {"Microsoft.Web/sites/old"})
    done = deploy(world, sources, deploymentMode="complete")
    assert done.result == "Succeeded", done.log
    assert done.lines.index("Delete      Microsoft.Web/sites/old") < done.lines.index("Starting Deployment.")
    assert deployments.groups["web"].resources == {RESOURCE}


def test_what_is_wrong_with_a_template_is_told_with_every_detail(
    world: World, deployments: Deployments, sources: Path
) -> None:
    done = deploy(world, sources, overrideParameters="-count many -colour blue")
    assert done.result == "Failed"
    told = " ".join(done.messages("error"))
    for one in (
        "'name' is not provided",
        "'count' is no int",
        "'colour' is not a valid parameter",
        "has no parameter 'colour'",
    ):
        assert one in told
    assert deployments.deployed == {}


def test_a_deployment_that_fails_says_why(world: World, deployments: Deployments, sources: Path) -> None:
    conflict = {
        "code": "Conflict",
        "message": "The name is taken.",
        "details": [{"code": "StorageTaken", "message": "depot"}],
    }
    deployments.fails = {"code": "DeploymentFailed", "message": "At least one failed.", "details": [conflict]}
    done = deploy(world, sources, deploymentName="d")
    assert "the deployment 'd' did not succeed: DeploymentFailed: At least one failed." in done.message
    assert "Conflict: The name is taken." in done.messages("error")
    assert "StorageTaken: depot" in done.messages("error")


def test_subscriptions_and_management_groups_are_scopes(world: World, deployments: Deployments, sources: Path) -> None:
    done = deploy(world, sources, deploymentScope="Subscription", resourceGroupName="", deploymentName="s")
    assert done.result == "Succeeded", done.log
    assert deployments.deployed["s"]["location"] == "westeurope"
    group = {"subscriptionId": "", "subscriptionName": "", "scopeLevel": "ManagementGroup"}
    record = world.create(name="mg", managementGroupId="platform", managementGroupName="Platform", values=group)
    done = deploy(world, sources, record, deploymentScope="Management Group", deploymentName="m")
    assert done.result == "Succeeded", done.log
    assert deployments.deployed["m"]["location"] == "westeurope"
    assert (
        "Complete deletes" in deploy(world, sources, deploymentScope="Subscription", deploymentMode="Complete").message
    )


def test_a_group_is_deleted(world: World, deployments: Deployments, sources: Path) -> None:
    deployments.groups["web"] = Group("westeurope")
    for told in ("Deleted resource group web", "There is no resource group web"):
        done = deploy(world, sources, action="DeleteRG")
        assert done.result == "Succeeded", done.log
        assert told in done.lines
    assert deployments.groups == {}


def test_a_linked_template_is_fetched_without_credentials_to_override_it(
    world: World, deployments: Deployments, sources: Path
) -> None:
    asked: list[Call] = []

    def site(call: Call) -> Reply:
        asked.append(call)
        return Reply(200, TEMPLATE)

    world.azure.services["files.azurewebsites.net"] = site
    link = "https://files.azurewebsites.net/t/main.json?sig=abc"
    inputs = {"templateLocation": "URL of the file", "csmFileLink": link, "deploymentName": "l"}
    assert deploy(world, sources, values=inputs, overrideParameters="").result == "Succeeded"
    assert not asked
    assert deployments.deployed["l"]["properties"] == {"templateLink": {"uri": link}, "mode": "Incremental"}
    assert deploy(world, sources, values=inputs).result == "Succeeded"
    assert deployments.deployed["l"]["properties"]["parameters"]["count"] == {"value": 3}
    assert [call.headers.get("authorization") for call in asked] == [None]


def test_a_principal_without_a_role_is_told_what_it_lacks(
    world: World, deployments: Deployments, sources: Path
) -> None:
    deployments.groups["web"] = Group("westeurope")
    record = world.create()
    assert deploy(world, sources, record).result == "Succeeded"
    world.azure.readers.clear()
    done = deploy(world, sources, record)
    assert "the role Contributor" in done.message
    assert "az role assignment create" in done.message


def test_the_principal_may_be_a_parameter(world: World, deployments: Deployments, sources: Path) -> None:
    override = {"overrideParameters": "-name $servicePrincipalId -key $servicePrincipalKey", "deploymentName": "k"}
    done = deploy(world, sources, values=override, addSpnToEnvironment="true")
    assert done.result == "Succeeded", done.log
    sent = deployments.deployed["k"]["properties"]["parameters"]
    assert sent["name"] == {"value": world.application.id}
    assert sent["key"]["value"].startswith("client-secret")
    assert "client-secret" not in done.log


def test_a_canceled_task_cancels_the_deployment(world: World, deployments: Deployments, sources: Path) -> None:
    deployments.endless = True
    cancellation = Cancellation()

    watcher = threading.Thread(target=lambda: _cancel_once(deployments, cancellation))
    watcher.start()
    done = deploy(world, sources, cancellation=cancellation, deploymentName="c")
    watcher.join()
    assert done.result == "Canceled"
    assert deployments.canceled == ["c"]


def _cancel_once(deployments: Deployments, cancellation: Cancellation) -> None:
    while not deployments.deployed:
        threading.Event().wait(0.01)
    cancellation.cancel()


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"csmFile": "nothing.json"}, "there is no file 'nothing.json'"),
        ({"csmFile": "*.js*"}, "matches more than one file"),
        ({"csmFile": "."}, "is a folder, not a file"),
        ({"csmFile": "broken.json"}, "broken.json:2:3"),
        ({"resourceGroupName": ""}, "Input required: resourceGroupName"),
        ({"resourceGroupName": "a/../b"}, "no name of a resource group"),
        ({"location": ""}, "Input required: location"),
        ({"deploymentMode": "Slow"}, "Invalid deployment mode 'Slow'"),
        ({"deploymentName": "a b"}, "no name of a deployment"),
    ],
)
def test_inputs_that_do_not_fit_are_told_and_nothing_is_deployed(
    world: World, deployments: Deployments, sources: Path, inputs: dict[str, str], told: str
) -> None:
    (sources / "broken.json").write_text("{\n  nonsense }")
    done = deploy(world, sources, values=inputs)
    assert done.result == "Failed"
    assert told in done.message
    assert deployments.deployed == {}
