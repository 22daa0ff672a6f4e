from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import Giver
from tests.doubles.github import Account, GitHub

from sluice.plugin import Connection, Secret, VerificationError
from sluice.testing.connections import make_connection
from sluice_source import prepare_github, verify_github
from sluice_source._github import RENEW_SECONDS, api, installation_token

TOKEN = "ghp_0123456789abcdef"


@pytest.fixture
def github(serve: Callable[[GitHub], None]) -> GitHub:
    double = GitHub()
    serve(double)
    return double


def personal(github: GitHub, token: str = TOKEN, **values: str) -> Connection:
    given = {"apitoken": token} | values
    return make_connection("githubenterprise", "hub", url=f"{github.url}/", scheme="Token", values=given)


def app(github: GitHub, **values: str) -> Connection:
    given = {"AppId": github.app, "InstallationId": "77", "PrivateKey": github.private_key} | values
    return make_connection("github", "app", url=github.url, scheme="InstallationToken", values=given)


def refusal(connection: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify_github(connection)
    assert TOKEN not in str(raised.value)
    return str(raised.value)


def test_a_token_is_told_by_its_account(github: GitHub, evidence: Giver) -> None:
    github.accounts[TOKEN] = Account("octocat")
    assert verify_github(personal(github)) == f"{github.url} knows the credentials as octocat"
    assert [(call.method, call.path) for call in github.calls] == [("GET", "/api/v3/user")]
    evidence("githubenterprise", "Token", "verified right", "GitHub (double)")


@pytest.mark.parametrize(("scheme", "key"), [("Token", "AccessToken"), ("PersonalAccessToken", "accessToken")])
def test_each_scheme_of_github_has_its_token_under_its_own_key(
    github: GitHub, scheme: str, key: str, evidence: Giver
) -> None:
    github.accounts[TOKEN] = Account("octocat", scopes=None)
    connection = make_connection("github", "hub", url=github.url, scheme=scheme, values={key: TOKEN})
    assert "as octocat" in verify_github(connection)
    evidence("github", scheme, "verified right", "GitHub (double)")
    github.accounts.clear()
    assert "does not accept the credentials" in refusal(connection)
    evidence("github", scheme, "verified wrong", "GitHub (double)")


@pytest.mark.parametrize("scheme", ["OAuth", "OAuth2"])
def test_a_grant_has_an_access_token(github: GitHub, scheme: str, evidence: Giver) -> None:
    github.accounts[TOKEN] = Account("octocat")
    values = {"ConfigurationId": "00000000-0000-0000-0000-000000000001", "AccessToken": TOKEN}
    connection = make_connection("github", "hub", url=github.url, scheme=scheme, values=values)
    assert "as octocat" in verify_github(connection)
    assert prepare_github(connection).scheme == "OAuth"
    evidence("github", scheme, "verified right", "GitHub (double)")
    github.accounts.clear()
    assert "does not accept the credentials" in refusal(connection)
    evidence("github", scheme, "verified wrong", "GitHub (double)")


def test_a_user_name_with_a_password_is_good_for_an_enterprise_server(github: GitHub, evidence: Giver) -> None:
    github.accounts["pass-word"] = Account("ada", password=True)
    values = {"username": "ada", "password": "pass-word"}
    connection = make_connection("githubenterprise", "h", url=github.url, scheme="UsernamePassword", values=values)
    assert "as ada" in verify_github(connection)
    evidence("githubenterprise", "UsernamePassword", "verified right", "GitHub (double)")
    github.accounts.clear()
    assert "does not accept the credentials" in refusal(connection)
    evidence("githubenterprise", "UsernamePassword", "verified wrong", "GitHub (double)")
    grant = {"ConfigurationId": "00000000-0000-0000-0000-000000000001", "AccessToken": TOKEN}
    granted = make_connection("githubenterprise", "h", url=github.url, scheme="OAuth2", values=grant)
    assert "does not accept the credentials" in refusal(granted)
    github.accounts[TOKEN] = Account("ada")
    assert "as ada" in verify_github(granted)
    for what in ("verified right", "verified wrong"):
        evidence("githubenterprise", "OAuth2", what, "GitHub (double)")


def test_a_token_without_the_scope_for_private_repositories_is_told(github: GitHub) -> None:
    github.accounts[TOKEN] = Account("octocat", scopes="public_repo")
    assert "has not the scope 'repo'" in verify_github(personal(github))


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {"X-Accepted-OAuth-Scopes": "user"},
            "the token lacks a scope or permission: 403 Forbidden; it takes one of: user",
        ),
        ({"X-GitHub-SSO": "required; url=x"}, "not authorized for the organization's single sign-on"),
        ({"X-RateLimit-Remaining": "0"}, "the rate limit is used up"),
    ],
)
def test_each_refusal_has_its_own_words(github: GitHub, headers: dict[str, str], text: str) -> None:
    github.accounts[TOKEN] = Account("octocat", forbidden=headers)
    assert text in refusal(personal(github))


def test_wrong_credentials_and_a_wrong_address_are_told_apart(github: GitHub, evidence: Giver) -> None:
    assert "does not accept the credentials: they are wrong" in refusal(personal(github))
    elsewhere = make_connection(
        "githubenterprise", "hub", url=f"{github.url}/elsewhere/", scheme="Token", values={"apitoken": TOKEN}
    )
    assert f"there is no GitHub API at {github.url}" in refusal(elsewhere)
    evidence("githubenterprise", "Token", "verified wrong", "GitHub (double)")


def test_an_app_gets_a_token_that_is_kept_until_it_is_about_to_end(github: GitHub, evidence: Giver) -> None:
    assert verify_github(app(github)).endswith("issued an installation token that opens 3 repositories")
    kept = app(github)
    token = installation_token(kept)
    assert installation_token(kept) == token
    github.lifetime = RENEW_SECONDS - 1
    short = app(github)
    assert installation_token(short) != installation_token(short)
    evidence("github", "InstallationToken", "verified right", "GitHub (double)")


def test_steps_get_an_installation_token_and_not_the_key(github: GitHub) -> None:
    given = prepare_github(app(github))
    assert given.scheme == "Token"
    assert given.secret("AccessToken") == Secret("ghs_installation_1")
    assert given.secret("PrivateKey") is None
    assert given.text("AppId") == ""


def test_the_only_installation_need_not_be_named(github: GitHub) -> None:
    assert prepare_github(app(github, InstallationId="")).secret("AccessToken")
    github.installations["78"] = "another"
    assert "the app has 2 installations: installed for octo-org, another" in refusal(app(github, InstallationId=""))
    assert "the app has no installation 79" in refusal(app(github, InstallationId="79"))


def test_an_app_with_the_wrong_key_or_id_is_told(
    github: GitHub, serve: Callable[[GitHub], None], evidence: Giver
) -> None:
    other = GitHub()
    assert "does not accept the credentials" in refusal(app(github, PrivateKey=other.private_key))
    assert github.complaints.pop().startswith("assertion:")
    assert "does not accept the credentials" in refusal(app(github, AppId="1"))
    assert "private key cannot be read" in refusal(app(github, PrivateKey="-----BEGIN NONSENSE-----"))
    evidence("github", "InstallationToken", "verified wrong", "GitHub (double)")


def test_an_installation_token_that_was_given_is_used_as_it_is(github: GitHub) -> None:
    connection = make_connection("github", "app", scheme="InstallationToken", values={"InstallationAccessToken": TOKEN})
    assert prepare_github(connection).secret("AccessToken") == Secret(TOKEN)
    with pytest.raises(VerificationError, match="has no installation token"):
        prepare_github(make_connection("github", "app", scheme="InstallationToken"))


def test_github_itself_is_asked_at_its_own_address() -> None:
    assert api(make_connection("github", "hub", url="https://github.com")) == "https://api.github.com/"
    assert api(make_connection("githubenterprise", "hub", url="https://git.example.com")) == (
        "https://git.example.com/api/v3/"
    )
