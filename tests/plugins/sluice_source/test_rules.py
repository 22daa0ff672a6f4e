"""Addresses and log-ins that connections make."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import SluiceError, SourceRepository
from sluice.testing.connections import make_connection
from sluice_source._rules import RULES


@pytest.mark.parametrize(
    ("kind", "url", "name", "expected"),
    [
        ("github", "https://github.com", "octo/repo", "https://github.com/octo/repo.git"),
        ("github", "https://github.com", "octo/repo.git", "https://github.com/octo/repo.git"),
        ("githubenterprise", "https://git.example.com/", "o/r", "https://git.example.com/o/r.git"),
        ("bitbucket", "https://api.bitbucket.org/", "team/repo", "https://bitbucket.org/team/repo.git"),
        (
            "externaltfs",
            "https://dev.azure.com/contoso",
            "My Project/repo",
            "https://dev.azure.com/contoso/My%20Project/_git/repo",
        ),
        ("externaltfs", "https://tfs/tfs/Col/", "project", "https://tfs/tfs/Col/project/_git/project"),
        ("git", "https://git.example.com/team/repo.git", "", "https://git.example.com/team/repo.git"),
        ("git", "https://git.example.com/team/repo.git", "team/repo", "https://git.example.com/team/repo.git"),
        ("git", "https://git.example.com/", "team/repo", "https://git.example.com/team/repo"),
        ("subversion", "svn://host/repo", "", "svn://host/repo"),
    ],
)
def test_addresses(kind: str, url: str, name: str, expected: str) -> None:
    rule = RULES[kind]
    assert rule.url(SourceRepository(type=rule.types[0], name=name), make_connection(kind, url=url)) == expected


@pytest.mark.parametrize("name", ["", "repo", "a/b/c", "../b", "a/..", "a/-b", "a\\b/c", "a/b\nc", "a/\x00"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(SluiceError, match="is no name of a repository"):
        RULES["github"].url(SourceRepository(type="github", name=name), make_connection("github"))


@given(st.text(max_size=40))
def test_no_name_leads_to_another_host(name: str) -> None:
    for kind, url in (("github", "https://github.com"), ("externaltfs", "https://tfs/c"), ("git", "https://host/x")):
        try:
            address = RULES[kind].url(SourceRepository(type="git", name=name), make_connection(kind, url=url))
        except SluiceError:
            continue
        assert address == url or address.startswith(f"{url}/")
        assert not {"?", "#", "@", "\\", " "} & set(address.removeprefix(url))
        assert "/../" not in f"{address}/"


@pytest.mark.parametrize(
    ("kind", "scheme", "values", "username"),
    [
        ("github", "Token", {"AccessToken": "t"}, "x-access-token"),
        ("github", "PersonalAccessToken", {"accessToken": "t"}, "x-access-token"),
        ("githubenterprise", "UsernamePassword", {"username": "ada", "password": "t"}, "ada"),
        ("bitbucket", "OAuth2", {"AccessToken": "t"}, "x-token-auth"),
        ("bitbucket", "Token", {"email": "a@b", "apitoken": "t"}, "x-bitbucket-api-token-auth"),
        ("bitbucket", "UsernamePassword", {"username": "ada", "password": "t"}, "ada"),
        ("externaltfs", "Token", {"apitoken": "t"}, "token"),
        ("git", "UsernamePassword", {"password": "t"}, ""),
        ("subversion", "UsernamePassword", {"username": "ada", "password": "t"}, "ada"),
    ],
)
def test_log_ins(kind: str, scheme: str, values: Mapping[str, str], username: str) -> None:
    login = RULES[kind].login(make_connection(kind, scheme=scheme, values=values))
    assert login.username == username
    assert login.password is not None
    assert login.password.reveal() == "t"
    assert not login.trust_any_certificate


def test_untrusted_certificates_are_accepted_only_when_the_connection_says_so() -> None:
    values = {"apitoken": "t", "acceptUntrustedCerts": "true"}
    login = RULES["githubenterprise"].login(make_connection("githubenterprise", scheme="Token", values=values))
    assert login.trust_any_certificate
