"""The types are those of Azure Pipelines: keys, labels, what is secret and what is required."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.hooks.manager import installed
from sluice.plugin import ConnectionType
from sluice.secret import Secret
from sluice_ci._types import APP_CENTER, CHEF, JENKINS, JIRA

SCHEMES: dict[ConnectionType, dict[str, tuple[str, tuple[tuple[str, str, bool, bool], ...]]]] = {
    JENKINS: {
        "UsernamePassword": (
            "Basic Authentication",
            (("username", "Username", False, True), ("password", "Password", True, True)),
        )
    },
    JIRA: {"JiraConnectApp": ("Jira Connect App", (("configurationId", "Jira Configuration", False, True),))},
    CHEF: {
        "UsernamePassword": (
            "Basic Authentication",
            (("username", "Node Name (Username)", False, True), ("password", "Client Key", True, True)),
        )
    },
    APP_CENTER: {"Token": ("Token Based Authentication", (("apitoken", "API Token", True, True),))},
}


@pytest.mark.parametrize("kind", SCHEMES, ids=lambda kind: kind.name)
def test_schemes_have_the_keys_of_azure_pipelines_and_additions_say_so(kind: ConnectionType) -> None:
    found = {}
    for scheme in kind.schemes:
        own = [one for one in scheme.parameters if "addition of Sluice" not in one.help]
        if own:
            found[scheme.name] = (scheme.label, tuple((one.key, one.label, one.secret, one.required) for one in own))
    assert found == SCHEMES[kind]


def test_names_labels_addresses_and_data_are_those_of_azure_pipelines() -> None:
    found = {
        kind.name: (kind.label, kind.url.label, kind.url.default, [one.key for one in kind.data]) for kind in SCHEMES
    }
    assert found == {
        "jenkins": ("Jenkins", "Server URL", "", ["acceptUntrustedCerts"]),
        "jira": ("Jira", "Server URL", "", []),
        "chef": ("Chef", "Server URL", "", []),
        "vsmobilecenter": ("Visual Studio App Center", "Server URL", "https://api.appcenter.ms/v0.1", []),
    }
    assert all(kind.url.entered and kind.url.required for kind in SCHEMES)


def test_a_client_key_is_a_pem_file() -> None:
    secrets: dict[Key, Secret] = {("parameters", "password"): Secret("no pem at all")}
    entered = Entered(values={("parameters", "username"): "deployer"}, secrets=secrets)
    with pytest.raises(ConnectionInvalidError, match="it is no client key") as refusal:
        fit(CHEF, "UsernamePassword", "https://chef.example.com/organizations/example", entered)
    assert "no pem at all" not in str(refusal.value)


def test_app_center_has_its_address_by_itself() -> None:
    entered = Entered(secrets={("parameters", "apitoken"): Secret("token-0192")})
    assert fit(APP_CENTER, "Token", "", entered).url == "https://api.appcenter.ms/v0.1"


def test_every_type_is_installed_with_its_verification() -> None:
    host = installed()
    for kind in SCHEMES:
        assert host.types[kind.name] is kind
        assert kind.name in host.verifiers


def test_every_task_is_installed() -> None:
    host = installed()
    for name in (
        "JenkinsQueueJob@2",
        "JenkinsDownloadArtifacts@1",
        "JenkinsDownloadArtifacts@2",
        "JiraUpdateIssue@1",
        "Chef@1",
        "ChefKnife@1",
        "AppCenterDistribute@3",
    ):
        assert host.tasks[name.casefold()].reference == name


def test_listing_what_it_offers_imports_no_library() -> None:
    code = (
        "import sys, sluice_ci; sluice_ci.sluice_family();"
        "print([name for name in ('jwt', 'cryptography', 'requests', 'subprocess') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
