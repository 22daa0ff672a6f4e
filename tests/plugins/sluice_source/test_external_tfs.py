from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from tests.conftest import Giver
from tests.doubles.azure_devops import AzureDevOps

from sluice.plugin import Connection, VerificationError
from sluice.testing.connections import make_connection
from sluice_source import verify_external_tfs

TOKEN = "pat-0123456789"
SENT = "Basic " + base64.b64encode(f"token:{TOKEN}".encode()).decode()


@pytest.fixture
def organization(serve: Callable[[AzureDevOps], None]) -> AzureDevOps:
    double = AzureDevOps()
    serve(double)
    return double


def connection(organization: AzureDevOps, path: str = "/contoso/") -> Connection:
    return make_connection(
        "externaltfs", "tfs", url=f"{organization.url}{path}", scheme="Token", values={"apitoken": TOKEN}
    )


def refusal(asked: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify_external_tfs(asked)
    assert TOKEN not in str(raised.value)
    return str(raised.value)


def test_who_asks_and_which_projects_there_are(organization: AzureDevOps, evidence: Giver) -> None:
    organization.known[SENT] = {"vso.project"}
    said = verify_external_tfs(connection(organization))
    assert said.startswith(f"{organization.url} knows the credentials as Ada L., who sees 2 projects")
    assert [call.path for call in organization.calls] == ["/contoso/_apis/connectionData", "/contoso/_apis/projects"]
    evidence("externaltfs", "Token", "verified right", "Azure DevOps (double)")


def test_a_user_name_with_a_password_is_the_other_scheme(organization: AzureDevOps, evidence: Giver) -> None:
    organization.known["Basic " + base64.b64encode(b"ada:pw-0123456").decode()] = {"vso.project"}
    values = {"username": "ada", "password": "pw-0123456"}
    asked = make_connection(
        "externaltfs", "tfs", url=f"{organization.url}/contoso", scheme="UsernamePassword", values=values
    )
    assert "2 projects" in verify_external_tfs(asked)
    evidence("externaltfs", "UsernamePassword", "verified right", "Azure DevOps (double)")
    organization.known.clear()
    with pytest.raises(VerificationError, match="does not accept the credentials"):
        verify_external_tfs(asked)
    evidence("externaltfs", "UsernamePassword", "verified wrong", "Azure DevOps (double)")


def test_wrong_credentials_scopes_and_addresses_are_told_apart(organization: AzureDevOps, evidence: Giver) -> None:
    assert "does not accept the credentials" in refusal(connection(organization))
    organization.known[SENT] = {"vso.code"}
    assert "lacks the scope to read projects" in refusal(connection(organization))
    organization.known[SENT] = {"nobody"}
    assert "takes the credentials for nobody's" in refusal(connection(organization))
    assert "there is no organization or project collection" in refusal(connection(organization, "/other/"))
    evidence("externaltfs", "Token", "verified wrong", "Azure DevOps (double)")


def test_a_server_of_ones_own_says_401(serve: Callable[[AzureDevOps], None]) -> None:
    double = AzureDevOps(on_premises=True)
    serve(double)
    assert "does not accept the credentials" in refusal(connection(double))
