"""`sluice connection federation` and the rotation of the keys that sign."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

ID = "66666666-7777-8888-9999-000000000000"
ISSUER = "https://sluice.example"


@pytest.fixture
def cloud(sluice: Sluice) -> Sluice:
    values = {"serviceprincipalid": ID, "tenantid": ID, "subscriptionId": ID, "subscriptionName": "Production"}
    sets = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    sluice("connection", "create", "azure prod", "--type", "azurerm", "--scheme", "WorkloadIdentityFederation", *sets)
    sluice.environment["SLUICE_ISSUER_URL"] = f"{ISSUER}/"
    return sluice


def test_what_to_enter_is_printed(cloud: Sluice) -> None:
    shown = cloud.run("connection", "federation", "azure prod")
    assert shown.stdout.split() == [
        *("issuer", ISSUER, "subject", "sc://local/default/azure", "prod", "audience", "api://AzureADTokenExchange"),
    ]
    command = shlex.split(shown.stderr.rpartition("or: ")[2])
    assert command[:7] == ["az", "ad", "app", "federated-credential", "create", "--id", ID]
    entered = json.loads(command[-1])
    assert entered == {
        "name": "sluice-azure-prod",
        "issuer": ISSUER,
        "subject": "sc://local/default/azure prod",
        "audiences": ["api://AzureADTokenExchange"],
    }
    assert cloud.json("connection", "federation", "azure prod")["subject"] == entered["subject"]


def test_the_documents_can_be_served_as_files(cloud: Sluice) -> None:
    folder = cloud.folder / "site"
    cloud("connection", "federation", "azure prod", "--documents", str(folder))
    document = json.loads((folder / ".well-known/openid-configuration").read_text())
    assert document["issuer"] == ISSUER
    path = document["jwks_uri"].removeprefix(f"{ISSUER}/")
    (key,) = json.loads((folder / path).read_text())["keys"]
    assert key["alg"] == "RS256"
    made = cloud.json("key", "rotate", "--signing")
    cloud("connection", "federation", "azure prod", "--documents", str(folder))
    keys = json.loads((folder / path).read_text())["keys"]
    assert [one["kid"] for one in keys] == [key["kid"], made["keyId"]]
    at_once = cloud.json("key", "rotate", "--signing", "--at-once")
    cloud("connection", "federation", "azure prod", "--documents", str(folder))
    assert [one["kid"] for one in json.loads((folder / path).read_text())["keys"]] == [at_once["keyId"]]


def test_without_an_address_it_says_what_to_set(cloud: Sluice) -> None:
    del cloud.environment["SLUICE_ISSUER_URL"]
    assert "set SLUICE_ISSUER_URL" in cloud("connection", "federation", "azure prod", status=2)


def test_another_scheme_has_nothing_to_enter(sluice: Sluice) -> None:
    sets = ["--set", f"tenantid={ID}", "--set", f"subscriptionId={ID}", "--set", "subscriptionName=P"]
    sluice("connection", "create", "vm", "--type", "azurerm", "--scheme", "ManagedServiceIdentity", *sets)
    assert "--scheme WorkloadIdentityFederation" in sluice("connection", "federation", "vm", status=2)


def test_options_that_do_not_go_together_are_refused(sluice: Sluice) -> None:
    assert "--signing" in sluice("key", "rotate", "--at-once", status=2)
    assert "about the master key" in sluice("key", "rotate", "--signing", "--lost", status=2)
