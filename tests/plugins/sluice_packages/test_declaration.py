"""The types are those of Azure Pipelines: keys, labels, what is secret and what is required."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.hooks.manager import installed
from sluice.language.tasks import TaskCatalogue
from sluice_packages import TYPES, sluice_family

USERNAME, PASSWORD, TOKEN = ("username", False, True), ("password", True, True), ("apitoken", True, True)
BASIC = ("Username and Password", (USERNAME, PASSWORD))
AUTHENTICATION_TOKEN = ("Authentication Token", (TOKEN,))

SCHEMES = {
    "externalnpmregistry": {"UsernamePassword": BASIC, "Token": AUTHENTICATION_TOKEN},
    "externalnugetfeed": {
        "None": ("ApiKey", (("nugetkey", True, True),)),
        "Token": ("External Azure DevOps Server", (TOKEN,)),
        "UsernamePassword": ("Basic Authentication", (USERNAME, PASSWORD)),
    },
    "externalmavenrepository": {"UsernamePassword": BASIC, "Token": AUTHENTICATION_TOKEN},
    "externalPythonDownloadFeed": {"UsernamePassword": BASIC, "Token": AUTHENTICATION_TOKEN},
    "externalPythonUploadFeed": {"UsernamePassword": BASIC, "Token": AUTHENTICATION_TOKEN},
    "externalcargorepository": {
        "UsernamePassword": ("Basic username/password (including Azure DevOps PATs)", (USERNAME, PASSWORD)),
        "Token": ("Authorization value (including tokens of the public Cargo registry)", (TOKEN,)),
    },
}


def test_schemes_have_the_keys_of_azure_pipelines() -> None:
    found = {
        kind.name: {
            scheme.name: (scheme.label, tuple((one.key, one.secret, one.required) for one in scheme.parameters))
            for scheme in kind.schemes
        }
        for kind in TYPES
    }
    assert found == SCHEMES
    assert {name: list(schemes) for name, schemes in found.items()} == {
        name: list(schemes) for name, schemes in SCHEMES.items()
    }


def test_names_labels_addresses_and_data_are_those_of_azure_pipelines() -> None:
    found = {kind.label: (kind.url.label, [(one.key, one.required) for one in kind.data]) for kind in TYPES}
    assert found == {
        "npm": ("Registry URL", []),
        "NuGet": ("Feed URL", []),
        "Maven": ("Repository URL", [("RepositoryId", True)]),
        "Python package download": ("Python repository url for download", []),
        "Python package upload": ("Python repository url for upload", [("EndpointName", True)]),
        "Cargo": ("Repository URL", []),
    }
    assert all(kind.url.entered and kind.url.required and not kind.url.default for kind in TYPES)


def test_every_type_is_installed_with_its_verification_and_every_task_has_its_known_inputs() -> None:
    host, catalogue = installed(), TaskCatalogue()
    assert all(host.verifiers.keys() >= {kind.name.casefold()} or kind.name in host.verifiers for kind in TYPES)
    for task in sluice_family().tasks:
        known = catalogue.find(task.reference)
        assert known is not None
        assert any(one.type.casefold().startswith("connectedservice:") for one in known.inputs)


@pytest.mark.parametrize("library", ["requests", "subprocess", "xml.dom.minidom", "tomllib"])
def test_listing_what_it_offers_imports_no_library(library: str) -> None:
    code = f"import sys, sluice_packages; sluice_packages.sluice_family(); print({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
