"""The types are those of Azure Pipelines: keys, labels, what is secret and what is required."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.hooks.manager import installed
from sluice.plugin import ConnectionType
from sluice_source import sluice_family
from sluice_source._types import BITBUCKET, EXTERNAL_TFS, GIT, GITHUB, GITHUB_ENTERPRISE, SUBVERSION

CONFIGURATION = ("ConfigurationId", False, True)
ACCESS_TOKEN = ("AccessToken", True, False)
USERNAME, PASSWORD = ("username", False, True), ("password", True, True)

SCHEMES: dict[ConnectionType, dict[str, tuple[str, tuple[tuple[str, bool, bool], ...]]]] = {
    GITHUB: {
        "OAuth2": ("Grant authorization", (CONFIGURATION, ACCESS_TOKEN)),
        "OAuth": ("Grant authorization (older name)", (CONFIGURATION, ACCESS_TOKEN)),
        "Token": ("Personal Access Token", (("AccessToken", True, True), ("apitoken", True, False))),
        "PersonalAccessToken": ("Personal Access Token (older name)", (("accessToken", True, True),)),
        "InstallationToken": (
            "Azure Pipelines App",
            (
                ("ConfigurationId", False, False),
                ("InstallationAccessToken", True, False),
                ("AppId", False, False),
                ("InstallationId", False, False),
                ("PrivateKey", True, False),
            ),
        ),
    },
    GITHUB_ENTERPRISE: {
        "Token": ("Personal Access Token", (("apitoken", True, True),)),
        "UsernamePassword": ("Username and Password", (USERNAME, PASSWORD)),
        "OAuth2": ("OAuth2", (CONFIGURATION, ACCESS_TOKEN)),
    },
    BITBUCKET: {
        "OAuth2": ("Grant authorization", (CONFIGURATION, ACCESS_TOKEN)),
        "UsernamePassword": ("Basic Authentication", (USERNAME, PASSWORD)),
        "Token": ("Email and API token", (("email", False, True), ("apitoken", True, True))),
    },
    EXTERNAL_TFS: {
        "Token": ("Token Based Authentication", (("apitoken", True, True),)),
        "UsernamePassword": ("Basic Authentication", (USERNAME, PASSWORD)),
    },
    GIT: {"UsernamePassword": ("Basic Authentication", (("username", False, False), ("password", True, False)))},
    SUBVERSION: {"UsernamePassword": ("Basic Authentication", (USERNAME, PASSWORD))},
}


@pytest.mark.parametrize("kind", SCHEMES, ids=lambda kind: kind.name)
def test_schemes_have_the_keys_of_azure_pipelines(kind: ConnectionType) -> None:
    found = {
        scheme.name: (
            scheme.label,
            tuple(
                (one.key, one.secret, one.required)
                for one in scheme.parameters
                if one.key not in {"RefreshToken", "ClientId", "ClientSecret"}  # additions, which say so
            ),
        )
        for scheme in kind.schemes
        if scheme.name != "PrivateKey"  # an addition
    }
    assert found == SCHEMES[kind]
    assert list(found) == list(SCHEMES[kind])


def test_names_labels_addresses_and_data_are_those_of_azure_pipelines() -> None:
    found = {kind.name: (kind.label, kind.url.label, [one.key for one in kind.data]) for kind in SCHEMES}
    certificates = "acceptUntrustedCerts"
    assert found == {
        "github": ("GitHub", "Server URL", []),
        "githubenterprise": ("GitHub Enterprise Server", "Server URL", [certificates]),
        "bitbucket": ("Bitbucket Cloud", "Server Url", ["displayName", "avatarUrl"]),
        "externaltfs": ("Azure Repos/Team Foundation Server", "Connection URL", []),
        "git": ("Other Git", "Git repository URL", ["accessExternalGitServer", "HostKey"]),  # the second is an addition
        "subversion": ("Subversion", "Subversion repository URL", [certificates, "realmName"]),
    }
    assert (GITHUB.url.template, BITBUCKET.url.template) == ("https://github.com", "https://api.bitbucket.org/")
    assert all(kind.url.entered for kind in (GITHUB_ENTERPRISE, EXTERNAL_TFS, GIT, SUBVERSION))


def test_additions_say_so() -> None:
    scheme = GITHUB.scheme("installationtoken")
    assert scheme is not None
    assert all("addition of Sluice" in one.help for one in scheme.parameters[2:])


def test_every_type_is_installed_with_its_verification_and_its_rule() -> None:
    family, host = sluice_family(), installed()
    for kind in SCHEMES:
        assert host.types[kind.name] is kind
        assert kind.name in host.verifiers
        assert host.repositories[kind.name] is family.repositories[kind.name]
    assert "github" in host.preparations


def test_listing_what_it_offers_imports_no_library() -> None:
    code = (
        "import sys, sluice_source; sluice_source.sluice_family();"
        "print([name for name in ('jwt', 'cryptography', 'requests', 'subprocess') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
