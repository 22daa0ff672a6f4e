"""Every type and scheme that a bundled plugin declares can be created on the command line, and shows no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.hooks.manager import installed
from sluice.testing.samples import make_sample

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice
    from tests.conftest import Giver

ALL = [(kind.name, scheme.name) for kind in installed().types.values() for scheme in kind.schemes]
GIVEN: dict[tuple[str, str], dict[str, str]] = {
    ("azurerm", "PublishProfile"): {"publishProfile": "<publishData><publishProfile canary-0123456789/></publishData>"},
    ("AzureServiceBus", "None"): {
        "serviceBusConnectionString": "Endpoint=sb://ns.example/;SharedAccessKeyName=send;SharedAccessKey=canary-01234="
    },
    ("dockerhost", "PrivateKey"): {"certificate": ""},
    ("kubernetes", "Kubernetes"): {"clusterId": ""},
    ("kubernetes", "Token"): {"clusterId": ""},
    ("servicefabric", "Certificate"): {"certificate": "Y2FuYXJ5LWNlcnRpZmljYXRlLTQ3MTE="},
}
"""Values of types whose fields say something about each other, by type and scheme; an empty one leaves a field out."""


@pytest.mark.parametrize(("name", "scheme"), ALL, ids=[f"{name}-{scheme}" for name, scheme in ALL])
def test_a_connection_of_every_type_and_scheme_is_created(
    sluice: Sluice, evidence: Giver, name: str, scheme: str
) -> None:
    kind = installed().types[name.casefold()]
    sample = make_sample(kind, scheme, given=GIVEN.get((name, scheme)))
    arguments = ["--type", name, "--scheme", scheme, *(("--url", sample.url) if sample.url else ())]
    for key, value in sample.values.items():
        arguments += ["--set", f"{key}={value}"]
    for number, (key, secret) in enumerate(sample.secrets.items()):
        sluice.environment[f"SAMPLE_{number}"] = secret.reveal()
        arguments += ["--secret", f"{key}=env:SAMPLE_{number}"]
    sluice("connection", "create", "sample", *arguments)
    shown = sluice.json("connection", "show", "sample")
    assert (shown["type"], shown["scheme"]) == (name, scheme)
    assert sorted(shown["secrets"]) == sorted(sample.secrets)
    known = shown["parameters"] | shown["data"]
    assert {key: known[key] for key in sample.values} == sample.values
    assert not [key for key, secret in sample.secrets.items() if secret.reveal() in sluice.printed]
    evidence(name, scheme, "declared")
    evidence(name, scheme, "created")
