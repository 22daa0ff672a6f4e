"""The identity of a subscription's connection pulls from Azure Container Registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_registry import Registry

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from tests.plugins.sluice_azure.conftest import World


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "WorkloadIdentityFederation"])
def test_a_registry_gives_its_own_token_for_that_of_entra(world: World, scheme: str) -> None:
    world.federate()
    registry = Registry(world.azure)
    connection = world.open(world.create(scheme))
    user, password = connection.registry_login("Depot.azurecr.io")
    assert user == "00000000-0000-0000-0000-000000000000"
    assert password.reveal() == registry.refresh


@pytest.mark.parametrize(
    "host",
    ["evil.example", "depot.azurecr.io.evil.example", "depot.azurecr.cn", "a/b.azurecr.io", "x.depot.azurecr.io", ""],
)
def test_another_host_is_shown_no_token(world: World, host: str) -> None:
    connection = world.open(world.create())
    with pytest.raises(SluiceError, match="is no Azure container registry"):
        connection.registry_login(host)
    assert world.azure.calls_by_host == []


def test_a_registry_that_refuses_the_identity_says_which_role_it_takes(world: World) -> None:
    Registry(world.azure)
    world.azure.services["depot.azurecr.io"] = lambda call: Registry(world.azure, "other").answer(call)
    connection = world.open(world.create())
    with pytest.raises(SluiceError, match="gives no token for this identity") as caught:
        connection.registry_login("depot.azurecr.io")
    assert "AcrPull" in caught.value.do


def test_a_publish_profile_opens_no_registry(world: World) -> None:
    profile = "<publishData><publishProfile/></publishData>"
    connection = world.open(world.create("PublishProfile", secrets={"publishProfile": profile}))
    with pytest.raises(SluiceError, match="opens no container registry"):
        connection.registry_login("depot.azurecr.io")
