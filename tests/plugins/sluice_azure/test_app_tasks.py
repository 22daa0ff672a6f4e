"""`AzureWebApp@1` and `AzureFunctionApp@2` against App Service, its settings and its deployment service."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_sites import Sites

from sluice.testing.task_runner import TaskOutcome, run_task

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

PROFILE = """<publishData><publishProfile publishMethod="ZipDeploy" publishUrl="shop.scm.azurewebsites.net:443"
 userName="$shop" userPWD="kudu-password-0123"/></publishData>"""


@pytest.fixture
def sites(world: World) -> Sites:
    return Sites(world.azure, world.management)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    (folder / "site" / "bin").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("hello")
    (folder / "site" / "bin" / "run.sh").write_text("#!/bin/sh")
    with zipfile.ZipFile(folder / "shop.zip", "w") as archive:
        archive.writestr("index.html", "zipped")
    return folder


def deploy(
    world: World,
    sources: Path,
    record: ConnectionRecord | None = None,
    inputs: Mapping[str, str] | None = None,
    task: str = "AzureWebApp@1",
) -> TaskOutcome:
    known = {one.name: one for one in world.store.list("default")}
    opened = world.open(record or known.get("cloud") or world.create())
    kind = "functionApp" if task == "AzureFunctionApp@2" else "webApp"
    given = {"appType": kind, "appName": "shop", "package": f"{sources}/**/*.zip", **(inputs or {})}
    return run_task(task, connections={"azureSubscription": opened}, inputs=given, sources=sources)


@pytest.mark.parametrize("task", ["AzureWebApp@1", "AzureFunctionApp@2"])
def test_a_zip_is_deployed(world: World, sites: Sites, sources: Path, evidence: Giver, task: str) -> None:
    site = sites.add("shop")
    world.azure.busy = 1
    done = deploy(world, sources, task=task)
    assert done.result == "Succeeded", done.log
    assert site.contents == {"index.html": b"zipped"}
    assert done.outputs["AppServiceApplicationUrl"] == "https://shop.azurewebsites.net"
    assert [line for line in done.lines if line.startswith("state")] == ["state 1", "state 2", "state 4"]
    evidence("azurerm", "ServicePrincipal", "used", "Azure (double)", task=task)


def test_a_folder_becomes_a_zip(world: World, sites: Sites, sources: Path) -> None:
    site = sites.add("shop")
    done = deploy(world, sources, inputs={"package": "site"})
    assert done.result == "Succeeded", done.log
    assert site.contents == {"index.html": b"hello", "bin/run.sh": b"#!/bin/sh"}


def test_settings_are_added_and_the_method_says_how_the_app_runs(world: World, sites: Sites, sources: Path) -> None:
    site = sites.add("shop")
    site.settings = {"kept": "1", "WEBSITE_RUN_FROM_PACKAGE": "1"}
    inputs = {"appSettings": '-colour "dark blue" -size 3', "deploymentMethod": "zipDeploy"}
    assert deploy(world, sources, inputs=inputs).result == "Succeeded"
    assert site.settings == {"kept": "1", "colour": "dark blue", "size": "3"}
    assert deploy(world, sources, inputs={"deploymentMethod": "runFromPackage"}).result == "Succeeded"
    assert site.settings["WEBSITE_RUN_FROM_PACKAGE"] == "1"
    linux = {
        "appType": "webAppLinux",
        "runtimeStack": "NODE|22-lts",
        "startUpCommand": "npm start",
        "configurationStrings": "-http20Enabled true",
    }
    assert deploy(world, sources, inputs=linux).result == "Succeeded"
    assert site.configuration == {
        "linuxFxVersion": "NODE|22-lts",
        "appCommandLine": "npm start",
        "http20Enabled": "true",
    }


def test_a_slot_has_a_service_of_its_own(world: World, sites: Sites, sources: Path) -> None:
    sites.add("shop")
    slot = sites.add("shop", "staging")
    done = deploy(
        world, sources, inputs={"deployToSlotOrASE": "true", "resourceGroupName": "web", "slotName": "staging"}
    )
    assert done.result == "Succeeded", done.log
    assert slot.contents
    assert not sites.sites["shop"].contents


def test_archives_of_java_are_published_as_what_they_are(world: World, sites: Sites, sources: Path) -> None:
    site = sites.add("shop")
    (sources / "shop.war").write_bytes(b"war")
    done = deploy(world, sources, inputs={"package": "shop.war", "customDeployFolder": "ROOT"})
    assert done.result == "Succeeded", done.log
    assert (site.kind, site.contents) == ("war", {"webapps/ROOT": b"war"})


def test_a_publish_profile_deploys_without_an_identity(
    world: World, sites: Sites, sources: Path, evidence: Giver
) -> None:
    site = sites.add("shop")
    record = world.create("PublishProfile", secrets={"publishProfile": PROFILE})
    assert "accepts the publish profile" in world.verify(record)
    evidence("azurerm", "PublishProfile", "verified right", "Azure (double)")
    done = deploy(world, sources, record)
    assert done.result == "Succeeded", done.log
    assert site.deployed_by == "profile"
    assert world.azure.entra.given == []
    evidence("azurerm", "PublishProfile", "used", "Azure (double)", task="AzureWebApp@1")
    assert "cannot be set with a publish profile" in deploy(world, sources, record, {"appSettings": "-a b"}).message
    site.password = "another"
    assert "was not accepted" in deploy(world, sources, record).message


def test_a_deployment_that_fails_shows_what_the_service_wrote(world: World, sites: Sites, sources: Path) -> None:
    sites.add("shop").states = (1, 3)
    done = deploy(world, sources)
    assert "could not be deployed: state 3" in done.message
    assert "disk is full" in done.lines


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"appName": "nothing"}, "there is no app 'nothing'"),
        ({"appName": "a/../b"}, "is no name of an app"),
        ({"package": "nothing.zip"}, "there is no file"),
        ({"package": "shop.txt"}, "is no package"),
        ({"deploymentMethod": "ftp"}, "Invalid deployment method"),
        ({"customWebConfig": "-Handler x"}, "is not supported"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_deployed(
    world: World, sites: Sites, sources: Path, inputs: dict[str, str], told: str
) -> None:
    site = sites.add("shop")
    (sources / "shop.txt").write_text("x")
    done = deploy(world, sources, inputs=inputs)
    assert done.result == "Failed"
    assert told in done.message
    assert site.contents == {}


def test_a_principal_without_a_role_is_told_what_it_lacks(world: World, sites: Sites, sources: Path) -> None:
    sites.add("shop")
    world.azure.readers.clear()
    assert "az role assignment create" in deploy(world, sources).message
