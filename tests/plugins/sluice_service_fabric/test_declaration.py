"""The type is that of Azure Pipelines: keys, labels, what is secret and what is required."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.hooks.manager import installed
from sluice.secret import Secret
from sluice_service_fabric._types import SERVICE_FABRIC

SERVER = [
    ("certLookup", "Server Certificate Lookup", False, False),
    ("servercertthumbprint", "Server Certificate Thumbprint(s)", False, True),
    ("servercertcommonname", "Server Certificate Common Name(s)", False, True),
]


def test_schemes_have_the_keys_of_azure_pipelines() -> None:
    found = {
        (one.name, one.label): [(field.key, field.label, field.secret, field.required) for field in one.parameters]
        for one in SERVICE_FABRIC.schemes
    }
    assert found == {
        ("Certificate", "Certificate based"): [
            *SERVER,
            ("certificate", "Client Certificate", True, True),
            ("certificatepassword", "Password", True, False),
        ],
        ("UsernamePassword", "Microsoft Entra credential"): [
            *SERVER,
            ("username", "Username", False, True),
            ("password", "Password", True, True),
        ],
        ("None", "Windows security using gMSA"): [
            ("Unsecured", "Unsecured", False, False),
            ("ClusterSpn", "Cluster SPN", False, False),
        ],
    }
    assert SERVICE_FABRIC.url.label == "Cluster Endpoint"
    assert all("addition of Sluice" in one.help for one in SERVICE_FABRIC.data)


@pytest.mark.parametrize(
    ("url", "thumbprint", "told"),
    [
        ("https://cluster.example.com:19000", "AB" * 20, "tcp"),
        ("tcp://cluster.example.com:19000", "AB" * 19, "a thumbprint has 40 hexadecimal digits"),
    ],
)
def test_values_are_checked(url: str, thumbprint: str, told: str) -> None:
    secrets: dict[Key, Secret] = {("parameters", "certificate"): Secret("AAAABBBBCCCC")}
    entered = Entered(values={("parameters", "servercertthumbprint"): thumbprint}, secrets=secrets)
    with pytest.raises(ConnectionInvalidError, match=told):
        fit(SERVICE_FABRIC, "Certificate", url, entered)


def test_a_thumbprint_is_needed_unless_the_cluster_is_known_by_its_name() -> None:
    secrets: dict[Key, Secret] = {("parameters", "certificate"): Secret("AAAABBBBCCCC")}
    url = "tcp://cluster.example.com:19000"
    with pytest.raises(ConnectionInvalidError, match=r"Server Certificate Thumbprint\(s\)"):
        fit(SERVICE_FABRIC, "Certificate", url, Entered(secrets=secrets))
    named: dict[Key, str] = {
        ("parameters", "certLookup"): "CommonName",
        ("parameters", "servercertcommonname"): "cluster.example.com",
    }
    assert fit(SERVICE_FABRIC, "Certificate", url, Entered(values=named, secrets=secrets)).scheme == "Certificate"


def test_it_is_installed_with_its_verification_and_its_tasks() -> None:
    host = installed()
    assert host.types["servicefabric"] is SERVICE_FABRIC
    assert "servicefabric" in host.verifiers
    for name in ("ServiceFabricDeploy@1", "ServiceFabricPowerShell@1"):
        assert host.tasks[name.casefold()].reference == name


def test_listing_what_it_offers_imports_no_library() -> None:
    code = (
        "import sys, sluice_service_fabric as one; one.sluice_family();"
        "print([name for name in ('spnego', 'cryptography', 'requests', 'subprocess') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
