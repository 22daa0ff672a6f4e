"""`AzureContainerApps@1` against the management API: apps are made, and changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_container_apps import ContainerApps
from tests.doubles.azure_deployments import Deployments

from sluice.testing.task_runner import TaskOutcome, run_task

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

IMAGE = "depot.azurecr.io/shop:7"


@pytest.fixture
def apps(world: World) -> ContainerApps:
    Deployments(world.azure, world.management)
    return ContainerApps(world.azure, world.management)


def deploy(world: World, sources: Path, inputs: Mapping[str, str]) -> TaskOutcome:
    known = {one.name: one for one in world.store.list("default")}
    connection = world.open(known.get("cloud") or world.create())
    given = {"containerAppName": "shop", "location": "westeurope", "imageToDeploy": IMAGE, **inputs}
    variables = {"Build.BuildId": "7", "Build.BuildNumber": "20261125.1"}
    connections = {"connectedServiceNameARM": connection}
    return run_task("AzureContainerApps@1", connections=connections, inputs=given, sources=sources, variables=variables)


def test_an_app_is_made_with_its_group_and_environment(
    world: World, apps: ContainerApps, tmp_path: Path, evidence: Giver
) -> None:
    inputs = {"environmentVariables": 'A=1 B="two words" C=secretref:key', "targetPort": "8080", "acrName": "depot"}
    inputs |= {"acrUsername": "puller", "acrPassword": "registry-password-0123"}
    done = deploy(world, tmp_path, inputs)
    assert done.result == "Succeeded", done.log
    assert "The container app shop is deployed: https://shop.example.azurecontainerapps.io" in done.lines
    app = apps.app("shop")
    (container,) = app["template"]["containers"]
    assert container["image"] == IMAGE
    assert container["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "two words"},
        {"name": "C", "secretRef": "key"},
    ]
    assert (app["configuration"]["ingress"]["targetPort"], app["configuration"]["ingress"]["external"]) == (8080, True)
    assert app["configuration"]["registries"][0]["passwordSecretRef"] == "registry-password"
    assert ("managedEnvironments", "shop-env") in apps.resources
    evidence("azurerm", "ServicePrincipal", "used", "Azure (double)", task="AzureContainerApps@1")


def test_an_app_that_is_there_gets_another_image_and_keeps_the_rest(
    world: World, apps: ContainerApps, tmp_path: Path
) -> None:
    assert deploy(world, tmp_path, {"environmentVariables": "A=1 B=2", "targetPort": "8080"}).result == "Succeeded"
    changed = {"imageToDeploy": "depot.azurecr.io/shop:8", "environmentVariables": "B=3", "ingress": "internal"}
    assert deploy(world, tmp_path, changed).result == "Succeeded"
    app = apps.app("shop")
    (container,) = app["template"]["containers"]
    assert container["image"].endswith(":8")
    assert {one["name"]: one["value"] for one in container["env"]} == {"A": "1", "B": "3"}
    assert (app["configuration"]["ingress"]["targetPort"], app["configuration"]["ingress"]["external"]) == (8080, False)
    assert deploy(world, tmp_path, {"ingress": "disabled"}).result == "Succeeded"
    assert apps.app("shop")["configuration"]["ingress"] is None


def test_a_file_describes_the_app(world: World, apps: ContainerApps, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("properties:\n  template:\n    containers: [{name: shop, image: x:1}]\n")
    done = deploy(world, tmp_path, {"yamlConfigPath": "app.yaml", "imageToDeploy": ""})
    assert done.result == "Succeeded", done.log
    assert apps.app("shop")["template"]["containers"][0]["image"] == "x:1"
    (tmp_path / "app.yaml").write_text("properties: {template: {containers: [{name: shop, image: x:2}]}}\n")
    assert deploy(world, tmp_path, {"yamlConfigPath": "app.yaml"}).result == "Succeeded"
    assert apps.app("shop")["template"]["containers"][0]["image"] == "x:2"


def test_an_app_that_does_not_come_up_fails_the_step(world: World, apps: ContainerApps, tmp_path: Path) -> None:
    apps.state = "Failed"
    assert "is Failed" in deploy(world, tmp_path, {}).message


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"appSourcePath": "src"}, "an image is not built here"),
        ({"imageToDeploy": ""}, "Input required: imageToDeploy"),
        ({"containerAppName": "Shop/../x"}, "is no name of a container app"),
        ({"environmentVariables": "A"}, "'A' is not NAME=value"),
        ({"ingress": "public"}, "Invalid ingress"),
        ({"targetPort": "http"}, "'http' is no port"),
        ({"yamlConfigPath": "bad.yaml"}, "bad.yaml:1:"),
        ({"yamlConfigPath": "bomb.yaml"}, "holds an alias"),
    ],
)
def test_what_cannot_be_is_told_and_no_app_is_made(
    world: World, apps: ContainerApps, tmp_path: Path, inputs: dict[str, str], told: str
) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1, }")
    (tmp_path / "bomb.yaml").write_text("a: &a [x, x]\nb: [*a, *a]\n")
    done = deploy(world, tmp_path, inputs)
    assert done.result == "Failed"
    assert told in done.message
    assert not [name for kind, name in apps.resources if kind == "containerApps"]
