from __future__ import annotations

import pytest

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.hooks.manager import installed
from sluice.secret import Secret
from sluice_docker._types import HOST, REGISTRY


def test_a_registry_needs_a_user_and_has_docker_hub_for_its_address() -> None:
    entered = Entered(
        values={("parameters", "username"): "me"}, secrets={("parameters", "password"): Secret("pw-0192")}
    )
    fitted = fit(REGISTRY, "UsernamePassword", "", entered)
    assert fitted.entered.values["parameters", "registry"] == "https://index.docker.io/v1/"
    assert fitted.entered.values["data", "registrytype"] == "Others"
    with pytest.raises(ConnectionInvalidError, match="Docker ID"):
        fit(REGISTRY, "UsernamePassword", "", Entered())


@pytest.mark.parametrize("server", ["https://a.azurecr.io", "a.azurecr.io/v2", "a b", "user@a.azurecr.io"])
def test_a_login_server_is_a_host_alone(server: str) -> None:
    tenant = "11111111-2222-3333-4444-555555555555"
    values: dict[Key, str] = {("parameters", "loginServer"): server, ("parameters", "tenantid"): tenant}
    with pytest.raises(ConnectionInvalidError, match="give the host alone"):
        fit(REGISTRY, "ManagedServiceIdentity", "", Entered(values=values))


def test_keys_of_a_host_are_pem() -> None:
    secrets: dict[Key, Secret] = {("parameters", key): Secret("no pem at all") for key in ("cacert", "cert", "key")}
    with pytest.raises(ConnectionInvalidError, match="it is no PEM text") as refusal:
        fit(HOST, "Certificate", "tcp://127.0.0.1:2376", Entered(secrets=secrets))
    assert "no pem at all" not in str(refusal.value)


def test_the_family_offers_its_types_and_tasks() -> None:
    host = installed()
    assert {"dockerhost", "dockerregistry"} <= set(host.types)
    assert {"dockerhost", "dockerregistry"} <= set(host.verifiers)
    assert "dockerregistry" in host.preparations
    assert {"docker@2", "dockercompose@1"} <= set(host.tasks)
