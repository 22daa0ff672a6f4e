from __future__ import annotations

import pytest

from sluice.hooks.declaration import Input, Task
from sluice.language.tasks import ConnectionWanted, TaskCatalogue, TaskDefinition, connection_wanted


def nothing(run: object) -> None:
    """A task that does nothing."""


@pytest.mark.parametrize(
    "reference", ["AzureCLI@2", "azurecli@2", "AzureCLI@2.259.1", "46e4be58-730b-4389-8a2f-ea10b3e5e815@2"]
)
def test_a_task_is_found_by_name_or_id_whatever_its_case(reference: str) -> None:
    found = TaskCatalogue().find(reference)
    assert found is not None
    assert found.reference == "AzureCLI@2"


def test_an_alias_means_the_input_and_the_catalogue_knows_its_connection() -> None:
    definition = TaskCatalogue().find("AzureCLI@2")
    assert definition is not None
    found = definition.input("AzureSubscription")
    assert found is not None
    assert found.name == "connectedServiceNameARM"
    assert definition.connections["connectedServiceNameARM"] == ConnectionWanted("AzureRM")
    assert definition.handlers["execution"]
    assert definition.input("nothing") is None


def test_several_connections_in_one_input_are_known() -> None:
    definition = TaskCatalogue().find("NuGetAuthenticate@1")
    assert definition is not None
    assert "nuGetServiceConnections" in definition.multiple


def test_the_schemes_that_an_input_takes_are_known() -> None:
    assert connection_wanted("connectedService:github:OAuth, Token") == ConnectionWanted("github", ("OAuth", "Token"))
    assert connection_wanted("string") is None


def test_unknown_tasks_are_none_and_near_ones_are_offered() -> None:
    catalogue = TaskCatalogue()
    assert catalogue.find("CopyFile@2") is None
    assert catalogue.find("Bash@9") is None
    assert catalogue.nearest("CopyFile@2")[0] == "CopyFiles@2"
    assert catalogue.versions("docker") == ("0", "1", "2")


def test_tasks_of_plugins_are_known_with_their_inputs() -> None:
    inputs = (Input("depot", type="connectedService:acme", required=True),)
    catalogue = TaskCatalogue([Task("AcmeDeliver@1", nothing, id="1234", inputs=inputs)])
    definition = catalogue.find("acmedeliver@1")
    assert definition is not None
    assert definition.connections == {"depot": ConnectionWanted("acme")}
    assert catalogue.find("1234@1") is definition
    assert "AcmeDeliver@1" in catalogue.references()


def test_a_plugin_that_handles_a_built_in_task_keeps_its_inputs() -> None:
    definition = TaskCatalogue([Task("CopyFiles@2", nothing)]).find("CopyFiles@2")
    assert definition is not None
    assert definition.input("contents") is not None
    unknown = TaskCatalogue([Task("Other@1", nothing)]).find("Other@1")
    assert unknown is not None
    assert unknown.open_inputs


def test_an_installed_task_is_found_by_its_full_name() -> None:
    catalogue = TaskCatalogue(installed=[TaskDefinition(reference="Replace@3", id="abcd")])
    definition = catalogue.find("publisher.extension.task.Replace@3")
    assert definition is not None
    assert definition.name == "Replace"


def test_every_task_of_the_catalogue_can_be_read() -> None:
    catalogue = TaskCatalogue()
    references = catalogue.references()
    assert len(references) > 220
    assert all(catalogue.find(reference) for reference in references)
